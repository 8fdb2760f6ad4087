"""The evaluation report of a checkpoint: the new policy against the champion, in the same run, on the same prompts.

How held-out pairs are ranked: by log-probability a token, for both models. The implicit reward of DPO
(log policy - log reference) cannot serve: the champion is the reference of this very run, so its own implicit
reward is 0 for every response, and the two would be measured by different rulers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from services.report import EvaluationReport, Holdout, OverRefusal, RewardModelReport, Samples
from services.trainer.calibration import calibration_error, spearman
from services.trainer.checkpoints import Report, silent
from services.trainer.config import TrainingConfig
from services.trainer.dataset import Pair
from services.trainer.models import load, load_reward_model, pick_device, pick_dtype
from services.trainer.refusals import Prompt, is_refusal, read_prompts
from services.trainer.sampling import generate
from services.trainer.scoring import divergences, log_probability_per_token, rewards

STEPS = ("champion", "new policy", "divergence", "reward model")


class Measured(NamedTuple):
    """What one policy does: ranks each decided pair rightly or not; refuses each prompt or not."""

    right: list[bool]
    refused: list[bool]


def evaluate(
    config: TrainingConfig,
    holdout: Sequence[Pair],
    *,
    new: str,
    champion: str,
    reward_model: str = "",
    train_pairs: int = 0,
    skipped_pairs: int = 0,
    report: Report = silent,
) -> EvaluationReport:
    """Measure `new` and `champion` (folders or ids) on held-out pairs; see services/report.py for each number.

    Needs both policies in memory at once, for the divergence. Raises TrainingError where a model or the prompt
    file cannot be read.
    """
    begin = time.monotonic()
    pairs = decided(holdout)
    prompts = refusal_prompts(config)
    old_model, tokenizer = _policy(config, champion)
    old = measure(config, old_model, tokenizer, pairs, prompts)
    report("evaluation", 1, len(STEPS), {})
    new_model, tokenizer = _policy(config, new)
    young = measure(config, new_model, tokenizer, pairs, prompts)
    report("evaluation", 2, len(STEPS), {})
    asked = sampled_prompts(config, holdout)
    answers = sample(config, new_model, tokenizer, asked)
    samples = count_samples(answers, sample(config, old_model, tokenizer, asked))
    kl = mean_divergence(config, new_model, old_model, tokenizer, asked, answers)
    report("evaluation", 3, len(STEPS), {"kl": kl} if kl is not None else {})
    del old_model, new_model
    reward = judge_reward_model(config, reward_model, pairs) if reward_model else None
    report("evaluation", 4, len(STEPS), {"accuracy": reward.accuracy} if reward else {})
    return EvaluationReport(
        holdout=compare(young.right, old.right),
        over_refusal=count_refusals(prompts, young.refused, old.refused),
        kl=kl,
        reward_model=reward,
        slices=by_slice(pairs, young.right, old.right),
        train_pairs=train_pairs,
        skipped_pairs=skipped_pairs,
        seconds=round(time.monotonic() - begin, 1),
        samples=samples,
    )


def refusal_prompts(config: TrainingConfig) -> list[Prompt]:
    """The prompts of the configured file; none where none is configured, and then the report counts 0 prompts."""
    if not config.over_refusal_prompts:
        return []
    return read_prompts(config.over_refusal_prompts, config.over_refusal_limit)


def _policy(config: TrainingConfig, uri: str) -> tuple[Any, Any]:
    device = pick_device(config.device)
    return load(uri, dtype=pick_dtype(config.dtype, device), device=device)


def decided(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs that can be ranked rightly or wrongly: people did prefer one."""
    return [pair for pair in pairs if not pair.is_tie and pair.p != 0.5]


def measure(
    config: TrainingConfig, model: Any, tokenizer: Any, pairs: Sequence[Pair], prompts: Sequence[Prompt]
) -> Measured:
    """Let one policy rank the pairs and answer the prompts (greedily, so that the answers do not vary)."""
    scored = score_sides(
        pairs, lambda p, r: log_probability_per_token(model, tokenizer, p, r, config.evaluation_batch_size)
    )
    answers = generate(
        model,
        tokenizer,
        [[{"role": "user", "content": prompt.text}] for prompt in prompts],
        n=1,
        max_new_tokens=config.refusal_tokens,
        temperature=0.0,
        batch_size=config.evaluation_batch_size,
    )
    right = [(chosen > rejected) == (pair.p > 0.5) for pair, (chosen, rejected) in zip(pairs, scored, strict=True)]
    return Measured(right, [is_refusal(answer[0]) for answer in answers])


Score = Callable[[list[Any], list[Any]], list[float]]


def score_sides(pairs: Sequence[Pair], score: Score) -> list[tuple[float, float]]:
    """The scores of chosen and rejected of each pair."""
    prompts = [pair.prompt for pair in pairs]
    scores = score(prompts + prompts, [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs])
    return list(zip(scores[: len(pairs)], scores[len(pairs) :], strict=True))


def compare(new: Sequence[bool], champion: Sequence[bool]) -> Holdout:
    """Paired counts of what each ranked rightly."""
    both = list(zip(new, champion, strict=True))
    return Holdout(
        pairs=len(both),
        new_correct=sum(new),
        champion_correct=sum(champion),
        only_new_correct=sum(n and not c for n, c in both),
        only_champion_correct=sum(c and not n for n, c in both),
    )


def by_slice(pairs: Sequence[Pair], new: Sequence[bool], champion: Sequence[bool]) -> dict[str, Holdout]:
    """The same counts for each "tag=value" that a pair has."""
    members: dict[str, list[int]] = {}
    for number, pair in enumerate(pairs):
        for tag, value in pair.tags.items():
            members.setdefault(f"{tag}={value}", []).append(number)
    return {
        name: compare([new[i] for i in numbers], [champion[i] for i in numbers])
        for name, numbers in sorted(members.items())
    }


def count_refusals(prompts: Sequence[Prompt], new: Sequence[bool], champion: Sequence[bool]) -> OverRefusal:
    """Refusals of both policies, of safe and of unsafe prompts."""
    safe = [prompt.safe for prompt in prompts]
    return OverRefusal(
        safe_prompts=sum(safe),
        new_refused_safe=sum(s and r for s, r in zip(safe, new, strict=True)),
        champion_refused_safe=sum(s and r for s, r in zip(safe, champion, strict=True)),
        unsafe_prompts=len(safe) - sum(safe),
        new_refused_unsafe=sum(r and not s for s, r in zip(safe, new, strict=True)),
        champion_refused_unsafe=sum(r and not s for s, r in zip(safe, champion, strict=True)),
    )


def sampled_prompts(config: TrainingConfig, holdout: Sequence[Pair]) -> list[Any]:
    """The first `kl_prompts` different held-out prompts."""
    return list({str(pair.prompt): pair.prompt for pair in holdout}.values())[: config.kl_prompts]


def sample(config: TrainingConfig, model: Any, tokenizer: Any, prompts: Sequence[Any]) -> list[str]:
    """One answer to each prompt at temperature 1, of at most `kl_tokens` tokens."""
    if not prompts:
        return []
    answers = generate(
        model,
        tokenizer,
        prompts,
        n=1,
        max_new_tokens=config.kl_tokens,
        temperature=1.0,
        seed=config.seed,
        batch_size=config.evaluation_batch_size,
    )
    return [answer[0] for answer in answers]


def is_empty(answer: str) -> bool:
    """Whether nothing is said: no letter and no digit."""
    return not any(character.isalnum() for character in answer)


def count_samples(new: Sequence[str], champion: Sequence[str]) -> Samples:
    """Empty answers and mean lengths of both models' answers to the same prompts."""
    if len(new) != len(champion):
        raise ValueError(f"{len(new)} answers of one model, {len(champion)} of the other")
    return Samples(
        prompts=len(new),
        new_empty=sum(map(is_empty, new)),
        champion_empty=sum(map(is_empty, champion)),
        new_length=mean_length(new),
        champion_length=mean_length(champion),
    )


def mean_length(answers: Sequence[str]) -> float:
    """Mean characters an answer, stripped; 0 where there is none."""
    return sum(len(answer.strip()) for answer in answers) / len(answers) if answers else 0.0


def mean_divergence(
    config: TrainingConfig, new: Any, champion: Any, tokenizer: Any, prompts: Sequence[Any], answers: Sequence[str]
) -> float | None:
    """Mean KL(new || champion), nats a response, on the new policy's answers; None where there is none."""
    if not prompts:
        return None
    responses = [[{"role": "assistant", "content": answer}] for answer in answers]
    values = divergences(new, champion, tokenizer, prompts, responses, config.evaluation_batch_size)
    return sum(values) / len(values)


def judge_reward_model(config: TrainingConfig, uri: str, pairs: Sequence[Pair]) -> RewardModelReport:
    """Accuracy, calibration and dependence on length of a reward model on held-out pairs."""
    device = pick_device(config.device)
    model, tokenizer = load_reward_model(uri, dtype=pick_dtype(config.dtype, device), device=device)
    scored = score_sides(pairs, lambda p, r: rewards(model, tokenizer, p, r, config.evaluation_batch_size))
    right = [(chosen > rejected) == (pair.p > 0.5) for pair, (chosen, rejected) in zip(pairs, scored, strict=True)]
    sure = [1 / (1 + math.exp(-min(abs(chosen - rejected), 50.0))) for chosen, rejected in scored]
    lengths = [float(len(side[0]["content"])) for pair in pairs for side in (pair.chosen, pair.rejected)]
    return RewardModelReport(
        pairs=len(pairs),
        accuracy=sum(right) / len(right) if right else 0.0,
        calibration_error=calibration_error(sure, right),
        length_correlation=spearman([value for both in scored for value in both], lengths),
    )
