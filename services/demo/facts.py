"""What a round showed, gathered over HTTP and held against the hidden truth."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from services.coordinator.intervals import Interval
from services.demo.crowd import Hired
from services.demo.taste import truth

Found = Literal["found", "missed", "false alarm", "left alone"]


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What the crowd's judgments came to in one batch, gold apart."""

    pairs: int = 0
    judgments: int = 0
    clear: int = 0  # pairs where the hidden truth is no tie
    right: int = 0  # of those, the consensus has it


@dataclass(frozen=True, kw_only=True)
class RoundFacts:
    """One round, as the final table shows it."""

    number: int
    prompts: int
    labels: Labels
    train_pairs: int
    holdout_pairs: int
    decision: str  # of the gate
    reasons: tuple[str, ...]
    model: str
    win_rate: Interval | None
    words: tuple[float, float]  # of a response to the evaluation prompts, in the mean: old, new
    seconds: Mapping[str, float]  # by stage


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One simulated annotator at the end: what they are, and what quality control says of them."""

    name: str
    kind: str
    judged: int
    really: float | None  # share right of the clear pairs, by the hidden truth
    estimated: tuple[float, float, float] | None  # accuracy with its 95 % interval, as the service sees it
    standing: str
    alarms: tuple[str, ...]
    found: Found


def labels_of(rows: Iterable[Mapping[str, Any]], seen: set[str]) -> Labels:
    """Labels and consensus of the dataset's rows whose task is not in `seen`; these are added to it."""
    pairs = judgments = clear = right = 0
    for row in rows:
        if row["task"] in seen:
            continue
        seen.add(row["task"])
        pairs += 1
        judgments += len(row["judgments"])
        best = truth(text_of(row["chosen"]), text_of(row["rejected"]))
        if best != "tie":
            clear += 1
            right += row["verdict"] != "tie" and best == "a"  # chosen is what the consensus prefers
    return Labels(pairs=pairs, judgments=judgments, clear=clear, right=right)


def text_of(messages: Sequence[Mapping[str, str]]) -> str:
    """The text of a response in TRL's format."""
    return messages[-1]["content"]


def mean_words(responses: Sequence[Sequence[str]]) -> float:
    """Words of a response, in the mean; at least one response."""
    counts = [len(response.split()) for answers in responses for response in answers]
    return sum(counts) / len(counts)


def rows_of(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The rows of an NDJSON export."""
    return [json.loads(line) for line in lines]


def verdicts(
    people: Sequence[Hired], told: Sequence[Mapping[str, Any]], alerts: Sequence[Mapping[str, Any]]
) -> list[Verdict]:
    """Everybody hired, with what GET /v1/annotators and GET /v1/alerts say of them."""
    of = {row["annotator"]: row for row in told}
    return [verdict(one, of.get(one.annotator, {}), alerts) for one in people]


def verdict(one: Hired, row: Mapping[str, Any], alerts: Sequence[Mapping[str, Any]]) -> Verdict:
    """One of them."""
    alarms = tuple(sorted({alert["hypothesis"] for alert in alerts if alert["annotator"] == one.annotator}))
    standing = str(row.get("standing") or "active")
    flagged = bool(alarms) or standing != "active"
    known = row.get("judgments") and row.get("accuracy") is not None
    return Verdict(
        name=one.person.name,
        kind=one.person.kind,
        judged=one.judged,
        really=one.right / one.clear if one.clear else None,
        estimated=(row["accuracy"], row["accuracy_low"], row["accuracy_high"]) if known else None,
        standing=standing,
        alarms=alarms,
        found=found(is_bad=one.person.is_bad, flagged=flagged),
    )


def found(*, is_bad: bool, flagged: bool) -> Found:
    """What the flag is worth."""
    if is_bad:
        return "found" if flagged else "missed"
    return "false alarm" if flagged else "left alone"


def lone_accuracy(people: Sequence[Hired]) -> float | None:
    """How often a single judgment was right, gold included, by the hidden truth; None where there is none."""
    clear = sum(one.clear for one in people)
    return sum(one.right for one in people) / clear if clear else None
