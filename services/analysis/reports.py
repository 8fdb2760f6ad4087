"""The reports as the API tells them: pure functions of what was gathered. See docs/quality.md and docs/api.md."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from services.analysis.gather import Judged, Tags
from streams.quality import agreement, biases, causes, sessions, vendors
from streams.quality.compared import Compared
from streams.quality.pairs import Ints, Pairs, newest, numbered, pairs_of, summed
from streams.quality.populations import populations

Json = dict[str, Any]
WINDOWS = 24  # points of agreement over time
WINDOW = 2  # each point looks at so many steps' items: neighbours share half of theirs
LEAST_ITEMS = 10  # of a window
PERIODS = 6  # slices by time
MOST_VALUES = 30  # of one tag, those with most items


def built(content: Any) -> Any:
    """Dataclasses and structs as plain values, defaults included."""
    return msgspec.json.decode(msgspec.json.encode(content))


# ---------------------------------------------------------------- agreement


def agreement_report(judged: Judged) -> Json:
    """Every coefficient with its interval, now and over time."""
    labels = [(row.item, row.annotator, row.choice) for row in judged.rows]
    found = agreement.agreed(labels)
    cohen = agreement.mean_cohen(labels, samples=100)
    return {
        "judgments": len(labels),
        **built(found),
        "cohen": built(cohen[0]) if cohen else None,
        "cohen_pairs": cohen[1] if cohen else 0,
        "over_time": over_time(judged.rows),
    }


def over_time(rows: Sequence[Compared]) -> list[Json]:
    """Alpha and per cent agreement over windows that slide by half their width. An item stands at its last judgment.

    Judgments of unknown time are left out.
    """
    last: dict[str, int] = {}
    by_item: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for row in (row for row in rows if row.answered_at):
        last[row.item] = max(last.get(row.item, 0), row.answered_at)
        by_item[row.item].append((row.item, row.annotator, row.choice))
    items = sorted((item for item, found in by_item.items() if len(found) > 1), key=lambda item: last[item])
    step = max(LEAST_ITEMS // WINDOW, -(-len(items) // WINDOWS))
    points = []
    for end in range(step * WINDOW, len(items) + step, step):
        window = items[max(0, end - step * WINDOW) : end]
        if len(window) < LEAST_ITEMS or end - step >= len(items):
            continue
        found = agreement.agreed([label for item in window for label in by_item[item]], samples=200)
        points.append(
            {
                "at": last[window[-1]],
                "since": last[window[0]],
                "alpha": built(found.alpha),
                "percent": built(found.percent),
                "items": found.items,
            }
        )
    return points


# ---------------------------------------------------------------- causes


def causes_report(judged: Judged) -> Json:
    """Slices of items and of people, the one with the lowest shrunken agreement first."""
    coded = Coded(judged.rows)
    found = causes.ranked(coded.pairs, [*item_slices(judged, coded), *people_slices(judged.attributes, coded)])
    pairs = coded.pairs
    total = float(pairs.weight.sum())
    return {
        "judgments": len(coded.rows),
        "pairs": len(pairs.same),
        "agreement": float(pairs.weight @ pairs.same) / total if total else None,
        "causes": built(found),
    }


class Coded:
    """Rows as arrays, an annotator's newest judgment of an item alone."""

    def __init__(self, rows: Sequence[Compared]) -> None:
        item, items = numbered(row.item for row in rows)
        person, people = numbered(row.annotator for row in rows)
        kept = newest(item, person)
        self.rows = [rows[n] for n in kept]
        self.items, self.people = [str(name) for name in items], [str(name) for name in people]
        self.item, self.person = item[kept], person[kept]
        choice: Ints = np.array(["abt".index(row.choice[0]) for row in self.rows], dtype=np.int64)
        self.pairs: Pairs = pairs_of(self.item, self.person, choice)


def item_slices(judged: Judged, coded: Coded) -> list[causes.Slice]:
    """By tag, and by time in PERIODS parts with as many items each."""
    tags = [judged.tags.get(item, {}) for item in coded.items]
    last: dict[str, int] = {}
    for row in coded.rows:
        last[row.item] = max(last.get(row.item, 0), row.answered_at)
    if len(set(last.values())) >= PERIODS:
        order = np.argsort([last[item] for item in coded.items], kind="stable")
        for period, part in enumerate(np.array_split(order, PERIODS), 1):
            for n in part:
                tags[n] = tags[n] | {"time": f"part {period} of {PERIODS}"}
    return slices_of(tags, "items")


def people_slices(attributes: Tags, coded: Coded) -> list[causes.Slice]:
    """By attribute."""
    return slices_of([attributes.get(name, {}) for name in coded.people], "annotators")


def slices_of(tags: Sequence[Mapping[str, str]], of: Any) -> list[causes.Slice]:
    """A slice for each value of each tag, the largest MOST_VALUES of a tag."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in tags:
        for tag, value in one.items():
            counts[tag][value] += 1
    return [
        causes.Slice(tag=tag, value=value, of=of, members=np.array([one.get(tag) == value for one in tags]))
        for tag, values in counts.items()
        for value, _ in values.most_common(MOST_VALUES)
        if len(values) > 1
    ]


# ---------------------------------------------------------------- populations


def populations_report(judged: Judged) -> Json:
    """Annotators who differ together, and what marks each group beside the others."""
    found = populations(judged.rows)
    return {**built(found), "groups": [_portrait(judged, group) for group in found.groups]}


def _portrait(judged: Judged, group: Iterable[str]) -> Json:
    """What a group's members do, beside everybody else."""
    members = set(group)
    mine = [row for row in judged.rows if row.annotator in members]
    others = [row for row in judged.rows if row.annotator not in members]
    return {
        "members": sorted(members),
        "judgments": len(mine),
        "attributes": _shared(judged.attributes, members),
        **{name: {"group": built(of(mine)), "others": built(of(others))} for name, of in PORTRAIT.items()},
    }


def _longer(rows: Sequence[Compared]) -> biases.Rate:
    return biases.longer_wins((row.length_a, row.length_b, row.choice) for row in rows)


def _more_markdown(rows: Sequence[Compared]) -> biases.Rate:
    return biases.longer_wins((row.markdown_a, row.markdown_b, row.choice) for row in rows)


def _ties(rows: Sequence[Compared]) -> biases.Rate:
    return biases.rate_of(sum(row.choice == "tie" for row in rows), len(rows))


PORTRAIT: dict[str, Callable[[Sequence[Compared]], biases.Rate]] = {
    "longer_wins": _longer,
    "markdown_wins": _more_markdown,
    "ties": _ties,
}


def _shared(attributes: Tags, members: Iterable[str]) -> dict[str, dict[str, int]]:
    """How many members have each value of each attribute."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for member in members:
        for name, value in attributes.get(member, {}).items():
            found[name][value] += 1
    return {name: dict(values) for name, values in found.items()}


# ---------------------------------------------------------------- vendors


def comparison_report(judged: Judged, by: str, names: tuple[str, str], prices: tuple[float, float]) -> Json:
    """Two values of an attribute on the items that both judged. Without names: the two with most judgments."""
    source = [judged.attributes.get(row.annotator, {}).get(by, "") for row in judged.rows]
    values = [value for value, _ in Counter(filter(None, source)).most_common()]
    chosen = names if all(names) else (*values[:2], "", "")[:2]
    found = vendors.compare(judged.rows, source, (chosen[0], chosen[1]), prices) if all(chosen) else None
    attributes: dict[str, set[str]] = defaultdict(set)
    for one in judged.attributes.values():
        for name, value in one.items():
            attributes[name].add(value)
    return {
        "by": by,
        "values": values,
        "attributes": {name: sorted(found) for name, found in sorted(attributes.items())},
        "comparison": built(found),
        "least_items": vendors.LEAST_ITEMS,
    }


# ---------------------------------------------------------------- biases


def biases_report(judged: Judged) -> Json:
    """What sways choices: length, side, markdown, model, order in session."""
    rows = judged.rows
    lengths = [(row.length_a, row.length_b, row.choice) for row in rows]
    effects, models = biases.all_else_alike(rows)
    return {
        "judgments": len(rows),
        "longer_wins": built(_longer(rows)),
        "markdown_wins": built(_more_markdown(rows)),
        "left_rate": built(biases.left_rate((row.choice, row.swapped) for row in rows)),
        "ties": built(_ties(rows)),
        "length_test": built(biases.length_test(rows)),
        "length_curve": built(biases.length_curve(lengths)),
        "length_fit": built(biases.win_curve(rows)),
        "all_else_alike": built(effects),
        "models": built(models),
        "session": built(sessions.session_order(rows, agrees_with_others(rows))),
    }


def agrees_with_others(rows: Sequence[Compared]) -> list[float | None]:
    """For each judgment the share of the others on its item that say the same; None without others."""
    if not rows:
        return []
    item, _ = numbered(row.item for row in rows)
    choice = np.array(["abt".index(row.choice[0]) for row in rows], dtype=np.int64)
    items = int(item.max()) + 1
    counts = np.zeros((items, 3))
    np.add.at(counts, (item, choice), 1)
    others = summed(item, np.ones(len(rows)), items)[item] - 1
    same = counts[item, choice] - 1
    return [float(s / n) if n else None for s, n in zip(same, others, strict=True)]
