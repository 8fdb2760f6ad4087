"""Real judgments from files, as (item, annotator, label) in the order they arrived."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from streams.events import Choice
from streams.quality.labelled import Labelled

Labels = list[tuple[str, str, Choice]]


def lines(path: Path) -> Iterator[dict[str, str]]:
    """Of a gzipped JSONL."""
    with gzip.open(path, "rt", encoding="utf-8") as opened:
        yield from map(json.loads, opened)


def rte(folder: Path) -> tuple[Labels, dict[str, Choice]]:
    """Textual entailment with true gold."""
    with (folder / "rte.csv").open(encoding="utf-8") as opened:
        rows = list(csv.DictReader(line for line in opened if not line.startswith("#")))
    name: dict[str, Choice] = {"0": "a", "1": "b"}
    labels: Labels = [(row["item"], row["rater"], name[row["rating"]]) for row in rows]
    return labels, {row["item"]: name[row["gold_rating"]] for row in rows}


def jsonl(path: Path) -> Labels:
    """Recorded judgments."""
    return [(str(row["item"]), row["annotator"], row["label"]) for row in lines(path)]  # type: ignore[misc]


def held_out(labels: Labels) -> tuple[Labels, dict[str, Choice]]:
    """The last judgment of each item with at least three, as the answer that the others have to foretell."""
    sizes = Counter(item for item, _, _ in labels)
    last = {item: n for n, (item, _, _) in enumerate(labels) if sizes[item] >= 3}
    answers = {item: labels[n][2] for item, n in last.items()}
    kept = set(last.values())
    return [label for n, label in enumerate(labels) if n not in kept], answers


def labelled(labels: Labels) -> list[Labelled]:
    """As the refinement takes them."""
    return [Labelled(item=item, annotator=who, choice=label) for item, who, label in labels]
