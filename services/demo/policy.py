"""The policy of the demo: SmolLM2-135M-Instruct, converted once, and the responses sampled from it."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from services.demo.running import DemoError
from streams.errors import TrainingError

HERE = Path(__file__).parent
MOST_TOKENS = 48  # of a response
TEMPERATURE = 0.7
CHUNK = 16  # prompts sampled at once: two responses each make a batch of 32, about five seconds on two cores

# How the candidates of one prompt are made to differ: each is asked for in another way, by a system message that the
# outputs sent do not contain. People then say which way they like; nobody says it here.
STYLES = (
    "",
    "Answer in one short sentence.",
    "You are a warm and friendly helper. Answer briefly.",
    "Answer in detail.",
)


def read_prompts(name: str) -> list[str]:
    """The prompts of a file beside this one, one a line."""
    return [line for line in (HERE / name).read_text("utf-8").splitlines() if line.strip()]


def of_round(prompts: Sequence[str], number: int, count: int) -> list[str]:
    """The prompts of a round (from 1): the next `count`, from the beginning again at the end."""
    start = (number - 1) * count
    return [prompts[(start + i) % len(prompts)] for i in range(min(count, len(prompts)))]


def styles_of(index: int) -> tuple[str, str]:
    """Two different styles for the two candidates of the prompt with that index; every pair of styles has its turn."""
    pairs = [(one, other) for i, one in enumerate(STYLES) for other in STYLES[i + 1 :]]
    one, other = pairs[index % len(pairs)]
    return (one, other) if (index // len(pairs)) % 2 == 0 else (other, one)


def convert(folder: Path) -> Path:
    """The model as a Hugging Face folder. Raises DemoError where its package is missing, with the command."""
    from services.trainer.convert import convert_smollm2

    try:
        return convert_smollm2(folder)
    except TrainingError as error:
        raise DemoError(f"the model cannot be made ready: {error}; or run `make demo`, which does it") from error


# No hub is asked for anything, and no bar of a library draws over the demo's own. Threads that wait for each other
# sleep: on two cores that the service shares, spinning costs many times what waking up does.
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}


class Policy:
    """A model in memory until `close`; one at a time, since the trainer needs the memory and the cores too."""

    def __init__(self, uri: str, threads: int) -> None:
        import torch

        from services.trainer.models import load, pick_device, pick_dtype

        if not Path(uri).is_dir():
            raise DemoError(f"there is no model folder {uri} here: run the demo where the trainer keeps its artifacts")
        torch.set_num_threads(threads)
        device = pick_device("auto")
        self._model: Any
        self._model, self._tokenizer = load(uri, dtype=pick_dtype("auto", device), device=device)

    def candidates(self, prompts: Sequence[str], seed: int) -> Iterator[list[list[str]]]:
        """Two responses to each prompt, a chunk of prompts at a time, each response in a style of its own."""
        for start in range(0, len(prompts), CHUNK):
            chunk = prompts[start : start + CHUNK]
            styles = [style for i in range(len(chunk)) for style in styles_of(start + i)]
            asked = [asking(style, chunk[i // 2]) for i, style in enumerate(styles)]
            answers = [answer[0] for answer in self._sample(asked, 1, seed + start)]
            yield [answers[i : i + 2] for i in range(0, len(answers), 2)]

    def responses(self, prompts: Sequence[str], n: int, seed: int) -> Iterator[list[list[str]]]:
        """`n` plain responses to each prompt, a chunk of prompts at a time."""
        for start in range(0, len(prompts), CHUNK):
            yield self._sample([asking("", prompt) for prompt in prompts[start : start + CHUNK]], n, seed + start)

    def _sample(self, asked: Sequence[list[dict[str, str]]], n: int, seed: int) -> list[list[str]]:
        from services.trainer.sampling import generate

        sampled = generate(
            self._model, self._tokenizer, asked, n=n, max_new_tokens=MOST_TOKENS, temperature=TEMPERATURE, seed=seed
        )
        return [[text.replace("\0", "") for text in texts] for texts in sampled]  # the API refuses NUL characters

    def close(self) -> None:
        """Frees the weights."""
        self._model = None
        gc.collect()


def asking(style: str, prompt: str) -> list[dict[str, str]]:
    """The messages that ask for a response in that style."""
    system = [{"role": "system", "content": style}] if style else []
    return [*system, {"role": "user", "content": prompt}]
