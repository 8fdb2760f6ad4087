"""The immutable dataset of a batch: Parquet in TRL's preference format, its hash, lineage and report.

The rows come from `GET /v1/datasets/{batch}` (docs/api.md). The same rows give the same content hash and the same
folder, in whatever order and however often they come.
"""

from __future__ import annotations

import hashlib
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from services.trainer.artifacts import MANIFEST, code_version, read_manifest, write_manifest
from streams.errors import TrainingError

Message = dict[str, str]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The output a response came from, and where it stands in the log."""

    output: str
    offset: int = -1
    position: int = 0
    model: str = ""
    model_version: str = ""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a dataset: a preference with its posterior and what it rests on."""

    split: Literal["train", "holdout"]
    task: str
    revision: int
    campaign: str = "default"
    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    probability: float
    p_a: float
    p_b: float
    p_tie: float
    verdict: Literal["a", "b", "tie"]
    online: list[float] = []  # the posterior over (a, b, tie) when the task was decided, before it was refined
    margin: float = 0.0
    tags: dict[str, str] = {}
    prompt_digest: str = ""
    judgments: list[str] = []
    annotators: list[str] = []
    outputs: list[Source] = []

    @property
    def p(self) -> float:
        """P(chosen is the better response), a tie counted half, over the whole posterior. The label of the losses."""
        p_chosen = self.p_b if self.verdict == "b" else self.p_a
        return min(1.0, max(0.0, p_chosen + self.p_tie / 2))

    @property
    def is_tie(self) -> bool:
        """People saw no difference."""
        return self.verdict == "tie"


class DatasetReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a dataset, for people and for the lead's decision to train on it."""

    train: int
    holdout: int
    ties: int
    skipped: dict[str, int]  # why -> pairs left out
    mean_p: float  # of train pairs, of the response that people prefer
    length_difference: float  # mean of chosen minus rejected, characters, ties left out
    longer_chosen: float  # share of pairs whose longer response was preferred, ties and equal lengths left out
    slices: dict[str, int]  # "tag=value" -> pairs
    annotators: int
    judgments: int


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset on disk."""

    folder: str
    content_hash: str
    train: list[Pair]
    holdout: list[Pair]
    report: DatasetReport


def parse(lines: Iterable[str | bytes]) -> Iterator[Pair]:
    """Pairs from NDJSON; blank lines are passed over. Raises TrainingError, which names line and field."""
    decoder = msgspec.json.Decoder(Pair)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            pair = decoder.decode(line)
        except msgspec.DecodeError as error:
            raise TrainingError(f"row {number} of the dataset is not a preference pair: {error}") from error
        _check_posterior(pair, number)
        yield pair


def _check_posterior(pair: Pair, number: int) -> None:
    posterior = (pair.p_a, pair.p_b, pair.p_tie)
    if min(posterior) < 0 or abs(sum(posterior) - 1) > 1e-3:
        raise TrainingError(
            f"row {number} of the dataset (task {pair.task}): p_a, p_b, p_tie are {posterior}; "
            "they must be probabilities that sum to 1"
        )


def canonical(pair: Pair) -> bytes:
    """The pair as bytes that do not depend on the order of keys. Sets of ids are sorted."""
    fields = msgspec.to_builtins(pair)
    for name in ("judgments", "annotators"):
        fields[name] = sorted(fields[name])
    return msgspec.json.encode(fields, order="sorted")


def content_hash(pairs: Iterable[Pair]) -> str:
    """SHA-256 over the set of canonical rows, hex: the same for any order and any repetition of them."""
    whole = hashlib.sha256()
    for row in sorted({canonical(pair) for pair in pairs}):
        whole.update(len(row).to_bytes(8, "big") + row)
    return whole.hexdigest()


def unique(pairs: Iterable[Pair]) -> list[Pair]:
    """Each pair once, by task. Raises TrainingError where one task comes with two contents."""
    by_task: dict[str, Pair] = {}
    for pair in pairs:
        known = by_task.setdefault(pair.task, pair)
        if known is not pair and canonical(known) != canonical(pair):
            raise TrainingError(f"task {pair.task} comes twice with different content; cut the batch again")
    return [by_task[task] for task in sorted(by_task)]


def unusable(pair: Pair) -> str:
    """Why nothing can be learned from a pair; "" where something can."""
    if not any(message.get("content", "").strip() for message in pair.prompt):
        return "empty prompt"
    if not pair.chosen or not pair.rejected:
        return "no response"
    if pair.chosen == pair.rejected:
        return "equal responses"
    return ""


def build(pairs: Iterable[Pair], artifacts: Path, *, batch: str, config: dict[str, Any] | None = None) -> Built:
    """Write the dataset of these pairs under `artifacts`/datasets/HASH, the manifest last; or find it there.

    A folder without a manifest is what a kill left, and is written again.
    """
    every = unique(pairs)
    usable = [pair for pair in every if not unusable(pair)]
    skipped = Counter(reason for pair in every if (reason := unusable(pair)))
    name = content_hash(every)
    folder = artifacts / "datasets" / name
    train = [pair for pair in usable if pair.split == "train"]
    holdout = [pair for pair in usable if pair.split == "holdout"]
    report = describe(train, holdout, dict(skipped))
    if read_manifest(folder) is None:
        _write(folder, train, holdout, _manifest(every, name, report, batch=batch, config=config or {}))
    return Built(folder=str(folder), content_hash=name, train=train, holdout=holdout, report=report)


def _write(folder: Path, train: Sequence[Pair], holdout: Sequence[Pair], manifest: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for split, pairs in (("train", train), ("holdout", holdout)):
        pq.write_table(to_table(pairs), folder / f"{split}.parquet", compression="zstd")
    write_manifest(folder, manifest)


MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
STRING = pa.string()
SOURCE = [("output", STRING), ("offset", pa.int64()), ("position", pa.int64()), ("model", STRING)]
SOURCES = pa.list_(pa.struct([*SOURCE, ("model_version", STRING)]))
SCHEMA = pa.schema(
    [("prompt", MESSAGES), ("chosen", MESSAGES), ("rejected", MESSAGES), ("p", pa.float64())]
    + [(name, pa.float64()) for name in ("probability", "p_a", "p_b", "p_tie", "margin")]
    + [("verdict", pa.string()), ("task", pa.string()), ("revision", pa.int64()), ("campaign", pa.string())]
    + [("online", pa.list_(pa.float64())), ("tags", pa.map_(pa.string(), pa.string())), ("prompt_digest", pa.string())]
    + [("judgments", pa.list_(pa.string())), ("annotators", pa.list_(pa.string())), ("outputs", SOURCES)]
)


def to_table(pairs: Sequence[Pair]) -> pa.Table:
    """The pairs as a table in TRL's conversational preference format, and everything else a row knows."""
    rows = []
    for pair in pairs:
        row = {name: getattr(pair, name) for name in SCHEMA.names}
        row["tags"] = sorted(pair.tags.items())
        row["outputs"] = msgspec.to_builtins(pair.outputs)
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def read(folder: Path) -> Built:
    """A finished dataset, from its folder. Raises TrainingError where it is not finished."""
    manifest = read_manifest(folder)
    if manifest is None:
        raise TrainingError(f"the dataset {folder} has no {MANIFEST}: it was never finished; build it again")
    return Built(
        folder=str(folder),
        content_hash=manifest["content_hash"],
        train=_read_split(folder, "train"),
        holdout=_read_split(folder, "holdout"),
        report=msgspec.convert(manifest["report"], DatasetReport),
    )


def _read_split(folder: Path, split: str) -> list[Pair]:
    rows = pq.read_table(folder / f"{split}.parquet").to_pylist()
    return [msgspec.convert({**row, "split": split, "tags": dict(row["tags"])}, Pair) for row in rows]


def _manifest(
    pairs: Sequence[Pair], name: str, report: DatasetReport, *, batch: str, config: dict[str, Any]
) -> dict[str, Any]:
    return {
        "kind": "dataset",
        "content_hash": name,
        "batch": batch,
        "files": ["train.parquet", "holdout.parquet"],
        "report": msgspec.to_builtins(report),
        "lineage": lineage(pairs),
        "code_version": code_version(),
        "config": config,
    }


def lineage(pairs: Sequence[Pair]) -> dict[str, Any]:
    """What the pairs rest on: preferences by revision, judgments, annotators, and outputs by log offset."""
    sources = {source.output: source.offset for pair in pairs for source in pair.outputs}
    return {
        "preferences": [[pair.task, pair.revision] for pair in pairs],
        "judgments": sorted({judgment for pair in pairs for judgment in pair.judgments}),
        "annotators": sorted({annotator for pair in pairs for annotator in pair.annotators}),
        "outputs": dict(sorted(sources.items())),
    }


def describe(train: Sequence[Pair], holdout: Sequence[Pair], skipped: dict[str, int]) -> DatasetReport:
    """The report of a dataset."""
    pairs = [*train, *holdout]
    differences = [_length(pair.chosen) - _length(pair.rejected) for pair in pairs if not pair.is_tie]
    unequal = [difference for difference in differences if difference]
    return DatasetReport(
        train=len(train),
        holdout=len(holdout),
        ties=sum(pair.is_tie for pair in pairs),
        skipped=skipped,
        mean_p=_mean([max(pair.p, 1 - pair.p) for pair in train]),
        length_difference=_mean(differences),
        longer_chosen=_mean([float(difference > 0) for difference in unequal]),
        slices=dict(sorted(Counter(f"{k}={v}" for pair in pairs for k, v in pair.tags.items()).items())),
        annotators=len({annotator for pair in pairs for annotator in pair.annotators}),
        judgments=sum(len(pair.judgments) for pair in pairs),
    )


def _length(messages: Sequence[Message]) -> int:
    return sum(len(message.get("content", "")) for message in messages)


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if values else 0.0


def fits(pair: Pair, tokenizer: Any, max_length: int) -> bool:
    """Whether prompt with either response is at most `max_length` tokens: a cut pair would be judged by its stump."""
    sides = (pair.prompt + pair.chosen, pair.prompt + pair.rejected)
    texts = [tokenizer.apply_chat_template(side, tokenize=False) for side in sides]
    return all(len(ids) <= max_length for ids in tokenizer(texts, add_special_tokens=False)["input_ids"])
