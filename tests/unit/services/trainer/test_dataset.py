from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.dataset import Pair, build, canonical, content_hash, describe, parse, read, unusable
from streams.errors import TrainingError


def pair(task: str = "t1", **fields: Any) -> Pair:
    values: dict[str, Any] = {
        "split": "train",
        "task": task,
        "revision": 1,
        "prompt": [{"role": "user", "content": "What is tea?"}],
        "chosen": [{"role": "assistant", "content": "A drink."}],
        "rejected": [{"role": "assistant", "content": "I would rather not say."}],
        "probability": 0.93,
        "p_a": 0.93,
        "p_b": 0.05,
        "p_tie": 0.02,
        "verdict": "a",
        "margin": 0.88,
        "tags": {"locale": "en", "domain": "food"},
        "prompt_digest": "d",
        "judgments": ["j1", "j2"],
        "annotators": ["ann-1", "ann-2"],
        "outputs": [{"output": "o1", "offset": 3, "position": 0, "model": "m", "model_version": "1"}],
    }
    return msgspec.convert({**values, **fields}, Pair)


texts = st.text(max_size=20)
pairs = st.lists(
    st.builds(
        lambda task, split, text, tags, judgments: pair(
            task, split=split, chosen=[{"role": "assistant", "content": text}], tags=tags, judgments=judgments
        ),
        texts,
        st.sampled_from(["train", "holdout"]),
        texts,
        st.dictionaries(texts, texts, max_size=3),
        st.lists(texts, max_size=3),
    ),
    max_size=6,
    unique_by=lambda p: p.task,
)


@given(pairs, st.randoms(use_true_random=False))
def test_the_hash_does_not_depend_on_order_or_repetition(rows: list[Pair], random: Any) -> None:
    shuffled = [*rows, *rows[:2]]
    random.shuffle(shuffled)

    assert content_hash(shuffled) == content_hash(rows)


@given(pairs)
def test_the_hash_survives_json_whatever_the_order_of_keys(rows: list[Pair]) -> None:
    lines = [
        json.dumps(dict(reversed(list(msgspec.to_builtins(row).items()))), ensure_ascii=number % 2 == 0)
        for number, row in enumerate(rows)
    ]

    assert content_hash(parse(lines)) == content_hash(rows)


@given(pairs.filter(bool), st.data())
def test_any_other_row_makes_another_hash(rows: list[Pair], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(rows) - 1))
    changed = [*rows]
    changed[number] = msgspec.structs.replace(rows[number], revision=2)

    assert content_hash(changed) != content_hash(rows)
    assert content_hash(rows[:number] + rows[number + 1 :]) != content_hash(rows)


def test_judgments_are_a_set() -> None:
    assert canonical(pair(judgments=["x", "y"])) == canonical(pair(judgments=["y", "x"]))


@pytest.mark.parametrize(
    ("verdict", "posterior", "p"),
    [("a", (0.7, 0.1, 0.2), 0.8), ("b", (0.1, 0.7, 0.2), 0.8), ("tie", (0.1, 0.1, 0.8), 0.5), ("a", (1, 0, 0), 1.0)],
)
def test_the_label_is_the_whole_posterior_a_tie_counted_half(
    verdict: str, posterior: tuple[float, float, float], p: float
) -> None:
    p_a, p_b, p_tie = posterior

    assert pair(verdict=verdict, p_a=p_a, p_b=p_b, p_tie=p_tie).p == pytest.approx(p)


def test_a_dataset_is_written_in_trl_format_with_its_lineage(tmp_path: Path) -> None:
    built = build(
        [pair("t1"), pair("t2", split="holdout", annotators=["ann-3"])],
        tmp_path,
        batch="b1",
        config={"beta": 0.1},
    )
    folder = Path(built.folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    row = pq.read_table(folder / "train.parquet").to_pylist()[0]

    assert folder == tmp_path / "datasets" / built.content_hash
    assert row["prompt"] == [{"role": "user", "content": "What is tea?"}]
    assert row["chosen"] == [{"role": "assistant", "content": "A drink."}]
    assert row["p"] == pytest.approx(0.94)
    assert manifest["lineage"] == {
        "preferences": [["t1", 1], ["t2", 1]],
        "judgments": ["j1", "j2"],
        "annotators": ["ann-1", "ann-2", "ann-3"],
        "outputs": {"o1": 3},
    }
    assert manifest["config"] == {"beta": 0.1}
    assert manifest["code_version"]


def test_what_is_read_is_what_was_built(tmp_path: Path) -> None:
    built = build([pair("t2", split="holdout"), pair("t1", tags={})], tmp_path, batch="b1")

    assert read(Path(built.folder)) == built


def test_the_same_rows_are_not_written_again_and_a_torn_folder_is(tmp_path: Path) -> None:
    built = build([pair()], tmp_path, batch="b1")
    parquet = Path(built.folder) / "train.parquet"
    parquet.write_bytes(b"someone wrote over it")
    build([pair()], tmp_path, batch="b1")
    assert parquet.read_bytes() == b"someone wrote over it"

    (Path(built.folder) / "manifest.json").unlink()
    with pytest.raises(TrainingError, match="never finished"):
        read(Path(built.folder))
    build([pair()], tmp_path, batch="b1")

    assert pq.read_table(parquet).num_rows == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"prompt": [{"role": "user", "content": "  "}]}, "empty prompt"),
        ({"rejected": [{"role": "assistant", "content": "A drink."}]}, "equal responses"),
        ({"chosen": []}, "no response"),
        ({}, ""),
        ({"rejected": [{"role": "assistant", "content": ""}]}, ""),
    ],
)
def test_rows_that_teach_nothing_are_left_out_for_a_reason(fields: dict[str, Any], reason: str, tmp_path: Path) -> None:
    row = pair(**fields)
    built = build([row], tmp_path, batch="b1")

    assert unusable(row) == reason
    assert built.report.skipped == ({reason: 1} if reason else {})
    assert len(built.train) == (0 if reason else 1)


def test_one_task_with_two_contents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="t1 comes twice"):
        build([pair(), pair(revision=2)], tmp_path, batch="b1")


def test_the_report_counts_ties_slices_and_lengths() -> None:
    short_wins = pair("t1")
    tie = pair("t2", verdict="tie", p_a=0.1, p_b=0.1, p_tie=0.8, tags={"locale": "de"})

    report = describe([short_wins, tie], [], {})

    assert report.ties == 1
    assert report.longer_chosen == 0.0
    assert report.length_difference == len("A drink.") - len("I would rather not say.")
    assert report.slices == {"domain=food": 1, "locale=de": 1, "locale=en": 1}
    assert report.mean_p == pytest.approx((0.94 + 0.5) / 2)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "row 2"),
        ('{"split": "train"}', "task"),
        (json.dumps({**msgspec.to_builtins(pair()), "p_a": 0.2}), "sum to 1"),
        (json.dumps({**msgspec.to_builtins(pair()), "verdict": "c"}), "verdict"),
    ],
)
def test_a_row_that_is_none_names_its_line_and_field(line: str, told: str) -> None:
    with pytest.raises(TrainingError, match=told):
        list(parse(["", line]))


def test_fields_of_a_newer_server_are_passed_over() -> None:
    line = json.dumps({**msgspec.to_builtins(pair()), "new_field": 1})

    assert list(parse([line])) == [pair()]
