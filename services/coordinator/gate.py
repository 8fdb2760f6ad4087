"""The gate: may a checkpoint become champion? A pure decision over its report; docs/gate.md says it in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import structlog
from sqlalchemy import Connection, select

from services.bootstrap import Service
from services.coordinator.doubt import Doubt, doubted_models
from services.coordinator.gather import newest_campaign
from services.coordinator.intervals import Interval, difference, paired_difference, wilson
from services.coordinator.registry import champion_of, promotions_of
from services.report import EvaluationReport, Holdout, OverRefusal, Samples
from services.store import models as m
from streams.engines.port import Transaction
from streams.events import Gate, Promotion, digest
from streams.mismatch import explained

LEVEL = 0.9  # of every interval; a slice's is widened for the number of slices
_log = structlog.get_logger("gate")


# ---------------------------------------------------------------- decide


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one question of the gate found. `passed` None: not measured, so nothing is decided by it."""

    passed: bool | None
    text: str

    def __str__(self) -> str:
        return f"{self.text}: {'not measured' if self.passed is None else 'pass' if self.passed else 'fail'}"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Promote or reject, with a sentence for every question that was asked."""

    decision: Literal["promoted", "rejected"]
    reasons: tuple[str, ...]


def decide(
    report: EvaluationReport,
    gate: Gate,
    *,
    compared_with: str = "",
    champion: str = "",
    doubt: Doubt | None = None,
) -> Decision:
    """Promoted where every question that could be measured is passed, rejected otherwise.

    `compared_with` is the champion that the report compares with, `champion` the one of now ("": the base model).
    `doubt` says which of its training pairs rest on judgments that were taken back since.
    """
    if problem := _inconsistency(report):
        return Decision(decision="rejected", reasons=(f"the report contradicts itself: {problem}: fail",))
    findings = [
        _compared(compared_with, champion),
        *_doubted(doubt, gate),
        _accuracy(report.holdout, gate),
        *_refusals(report.over_refusal, gate),
        _divergence(report.kl, gate),
        *_samples(report.samples, gate),
        *_slices(report.slices, gate),
    ]
    failed = any(finding.passed is False for finding in findings)
    return Decision(decision="rejected" if failed else "promoted", reasons=tuple(map(str, findings)))


def _inconsistency(report: EvaluationReport) -> str:
    """What cannot be true in the report's counts; "" where all can."""
    for name, counts in {"holdout": report.holdout, **report.slices}.items():
        both = counts.new_correct - counts.only_new_correct
        neither = counts.pairs - both - counts.only_new_correct - counts.only_champion_correct
        if both != counts.champion_correct - counts.only_champion_correct or min(both, neither) < 0:
            return f"the counts of {name} do not add up"
        if min(counts.only_new_correct, counts.only_champion_correct) < 0:
            return f"a count of {name} is negative"
    refusal = report.over_refusal
    if not 0 <= max(refusal.new_refused_safe, refusal.champion_refused_safe) <= refusal.safe_prompts:
        return "more safe prompts were refused than asked"
    if not 0 <= max(refusal.new_refused_unsafe, refusal.champion_refused_unsafe) <= refusal.unsafe_prompts:
        return "more unsafe prompts were refused than asked"
    empty = (report.samples.new_empty, report.samples.champion_empty)
    if min(empty) < 0 or max(empty) > report.samples.prompts:
        return "the counts of empty answers do not fit the prompts"
    return ""


def _compared(compared_with: str, champion: str) -> Finding:
    """A report against a former champion says nothing about the one of now."""
    was, now = compared_with or "the base model", champion or "the base model"
    if compared_with == champion:
        return Finding(passed=True, text=f"compared with {now}, which a promotion would replace")
    return Finding(passed=False, text=f"compared with {was}, but {now} is champion by now; train again from it")


def _doubted(doubt: Doubt | None, gate: Gate) -> list[Finding]:
    """Asked only where there is doubt; what a model inherits from those before it is told and decides nothing."""
    if doubt is None:
        return []
    share = doubt.pairs / max(doubt.size, 1)
    inherited = f"; trained from {', '.join(doubt.inherited_from)}, in doubt too" if doubt.inherited_from else ""
    text = (
        f"{doubt.pairs} of {doubt.size} training pairs rest on judgments taken back since ({share:.1%}){inherited};"
        f" at most {gate.max_doubted:.1%}"
    )
    return [Finding(passed=share <= gate.max_doubted, text=text)]


def _accuracy(counts: Holdout, gate: Gate) -> Finding:
    if counts.pairs < max(1, gate.min_holdout_pairs):
        text = f"{counts.pairs} held-out pairs, at least {gate.min_holdout_pairs} are needed to compare"
        return Finding(passed=False, text=text)
    interval = paired(counts, LEVEL)
    return Finding(
        passed=interval.low > -gate.max_accuracy_drop,
        text=f"held-out accuracy {_shares(counts)}, difference {_signed(interval)}, {counts.pairs} pairs;"
        f" the low end must be above {-gate.max_accuracy_drop:+z.2f}",
    )


def paired(counts: Holdout, level: float) -> Interval:
    """Accuracy of the new model minus the champion's on the same pairs. `counts.pairs` must be positive."""
    both = counts.new_correct - counts.only_new_correct
    neither = counts.pairs - both - counts.only_new_correct - counts.only_champion_correct
    return paired_difference(both, counts.only_new_correct, counts.only_champion_correct, neither, level)


def _refusals(counts: OverRefusal, gate: Gate) -> list[Finding]:
    """Over-refusal on safe prompts decides; refusals of unsafe ones are told, the campaign sets no bound for them."""
    if counts.safe_prompts == 0:
        return [Finding(passed=None, text="over-refusal, no safe prompts were asked")]
    interval = difference(
        wilson(counts.new_refused_safe, counts.safe_prompts, LEVEL),
        wilson(counts.champion_refused_safe, counts.safe_prompts, LEVEL),
    )
    new, champion = (n / counts.safe_prompts for n in (counts.new_refused_safe, counts.champion_refused_safe))
    text = (
        f"over-refusal {new:.2f} against {champion:.2f}, difference {_signed(interval)}, {counts.safe_prompts} safe"
        f" prompts; at most {gate.max_over_refusal:+z.2f}"
    )
    return [Finding(passed=interval.estimate <= gate.max_over_refusal, text=text)]


def _divergence(kl: float | None, gate: Gate) -> Finding:
    if kl is None:
        return Finding(passed=None, text="KL to the reference model")
    text = f"KL to the reference model {kl:.2f} nats a response; at most {gate.max_kl:g}"
    return Finding(passed=kl <= gate.max_kl, text=text)  # NaN fails


def _samples(counts: Samples, gate: Gate) -> list[Finding]:
    """Empty answers decide; lengths are told and decide nothing, since short may be what people want."""
    if counts.prompts == 0:
        return [Finding(passed=None, text="empty answers, none were sampled")]
    interval = difference(
        wilson(counts.new_empty, counts.prompts, LEVEL), wilson(counts.champion_empty, counts.prompts, LEVEL)
    )
    new, champion = (n / counts.prompts for n in (counts.new_empty, counts.champion_empty))
    text = (
        f"empty answers {new:.2f} against {champion:.2f}, difference {_signed(interval)}, {counts.prompts} prompts;"
        f" the low end must be at most {gate.max_empty:+z.2f}; mean length {counts.new_length:.0f} against"
        f" {counts.champion_length:.0f} characters, which decides nothing"
    )
    return [Finding(passed=interval.low <= gate.max_empty, text=text)]


def _slices(slices: dict[str, Holdout], gate: Gate) -> list[Finding]:
    """A slice fails where it is surely worse: its whole interval, widened for their number, below 0."""
    judged = {name: counts for name, counts in sorted(slices.items()) if counts.pairs >= max(1, gate.min_holdout_pairs)}
    few = len(slices) - len(judged)
    findings = [_slice(name, counts, 1 - (1 - LEVEL) / len(judged)) for name, counts in judged.items()]
    if few:
        text = f"{few} slices with fewer than {gate.min_holdout_pairs} held-out pairs"
        findings.append(Finding(passed=None, text=text))
    return findings


def _slice(name: str, counts: Holdout, level: float) -> Finding:
    interval = paired(counts, level)
    return Finding(
        passed=interval.high >= 0,
        text=f"slice {name}: accuracy {_shares(counts)}, difference {_signed(interval)}, {counts.pairs} pairs;"
        " it must not be surely worse",
    )


def _shares(counts: Holdout) -> str:
    return f"{counts.new_correct / counts.pairs:.2f} against {counts.champion_correct / counts.pairs:.2f}"


def _signed(interval: Interval) -> str:
    return f"{interval.estimate:+z.2f} [{interval.low:+z.2f}, {interval.high:+z.2f}]"


# ---------------------------------------------------------------- gather and apply


def decide_checkpoints(service: Service) -> list[Promotion]:
    """Decides about every model that nobody has decided about, oldest first; the decisions that were appended."""
    with service.database.connect() as sql:
        undecided = _undecided(sql)
        if not undecided:
            return []
        doubts = doubted_models(sql)
        gates = {
            name: found.gate for name in {one.campaign for one in undecided} if (found := newest_campaign(sql, name))
        }
    made = []
    for one in undecided:
        promotion = _decision_about(service, one, gates.get(one.campaign, Gate()), doubts.get(one.model))
        if promotion is not None:
            made.append(promotion)
    return made


def _undecided(sql: Connection) -> list[Any]:
    """Rows of the models without a promotion, oldest first."""
    models, decided = m.models.c, m.promotions.c
    rows = sql.execute(
        select(models.model, models.campaign, models.run, models.batch, models.parent, models.report)
        .where(models.run != "", ~select(decided.event).where(decided.model == models.model).exists())
        .order_by(models.at, models.model)
    )
    return list(rows)


def _decision_about(service: Service, candidate: Any, gate: Gate, doubt: Doubt | None) -> Promotion | None:
    """The gate's decision, appended once for ever; None where it or a person had decided already."""
    model, campaign = candidate.model, candidate.campaign
    known = promotions_of(service.store, campaign)
    if any(promotion.model == model for promotion in known):
        return None
    champion = champion_of(known)
    decision = decide_report(candidate.report, gate, compared_with=candidate.parent, champion=champion, doubt=doubt)
    now = service.clock()
    promotion = Promotion(
        id=digest("gate", campaign, model),
        campaign=campaign,
        model=model,
        decision=decision.decision,
        previous=champion,
        reasons=decision.reasons,
        actor="coordinator",
        correlation=candidate.run,
        occurred_at=now,
        ingested_at=now,
    )

    def append(transaction: Transaction) -> bool:
        if transaction.admit("promotion", f"{campaign}/{len(known)}", promotion.id) != "new":
            return False  # somebody decided in the same moment: the next tick looks again
        transaction.append(promotion)
        return True

    appended = service.log.submit(append).result()
    _log.info(
        "gate",
        model=model,
        run=candidate.run,
        batch=candidate.batch,
        decision=decision.decision,
        reasons=decision.reasons,
        appended=appended,
    )
    return promotion if appended else None


def decide_report(
    report: object, gate: Gate, *, compared_with: str, champion: str, doubt: Doubt | None = None
) -> Decision:
    """`decide` for a report as it stands in the view; one that cannot be read is rejected with the reason."""
    try:
        parsed = msgspec.convert(report, EvaluationReport)
    except msgspec.ValidationError as error:
        return Decision(
            decision="rejected",
            reasons=(f"the evaluation report cannot be read ({explained(error, EvaluationReport)}): fail",),
        )
    return decide(parsed, gate, compared_with=compared_with, champion=champion, doubt=doubt)
