"""The report of a replay on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from services.replay.findings import Annotator, Fed, Findings

ALL_HERE = "Nothing was new: everything that could be taken is already in the log, and nothing changed."
NONE_TAKEN = "No judgment could be taken: the reasons stand above."


def show(found: Findings, console: Console) -> None:
    """Prints counts, agreement, would-be suspensions and the annotators at both ends."""
    console.print(_summary(found))
    for name, fed in (("item", found.items), ("judgment", found.judgments)):
        for reason, count in fed.rejected.items():
            examples = "; ".join(fed.examples[reason])
            console.print(f"[yellow]{count:,} {name}(s) not taken[/yellow]: {reason} (for example {examples})")
    for title, people in (("most reliable", found.most_reliable), ("least reliable", found.least_reliable)):
        if people:
            console.print(_people(title, people))
    if found.judgments.is_none_taken:
        console.print(NONE_TAKEN)
    elif not found.items.new and not found.judgments.new:
        console.print(ALL_HERE)


def _summary(found: Findings) -> Table:
    table = Table(title=f"replay of campaign {found.campaign}", show_header=False, title_justify="left")
    for name, value in _lines(found):
        table.add_row(name, value)
    return table


def _lines(found: Findings) -> list[tuple[str, str]]:
    consensus = found.consensus
    compared = f" of {consensus.compared:,} ({consensus.undecided:,} undecided)" if consensus.compared else ""
    return [
        ("items", _fed(found.items)),
        ("judgments", _fed(found.judgments)),
        ("tasks", f"{found.tasks:,} ({found.equal_items:,} items with equal responses made none)"),
        ("preferences reached", f"{found.preferences:,}"),
        ("annotators", f"{found.annotators:,}"),
        ("Krippendorff's alpha", _alpha(found)),
        ("agreement of pairs", _percent(found.percent_agreement)),
        ("ties", _percent(found.tie_share)),
        ("same as the items' consensus", _percent(consensus.share) + compared),
        ("alerts", _by_hypothesis(found.alerts)),
        ("would be suspended", _by_hypothesis(found.would_suspend)),
        ("dead letters", f"{found.dead_letters:,}"),
        ("time", f"{found.seconds:.1f} s, {found.judgments_per_second:,.0f} judgments/s in all"),
    ]


def _fed(fed: Fed) -> str:
    rejected = sum(fed.rejected.values())
    return f"{fed.read:,} read: {fed.new:,} new, {fed.already_here:,} already here, {rejected:,} not taken"


def _by_hypothesis(counts: dict[str, int]) -> str:
    return ", ".join(f"{hypothesis} {count:,}" for hypothesis, count in counts.items()) or "none"


def _people(title: str, people: Sequence[Annotator]) -> Table:
    table = Table("annotator", "judgments", "accuracy", "95 % interval", "side bias", "ties", title=title)
    for one in people:
        interval = f"{one.accuracy_low:.2f} to {one.accuracy_high:.2f}"
        row = (one.annotator, f"{one.judgments:,}", f"{one.accuracy:.2f}", interval)
        table.add_row(*row, f"{one.side_bias:+z.2f}", _percent(one.tie_rate))
    return table


def _percent(share: float | None) -> str:
    return "not known" if share is None else f"{share:.1%}"


def _alpha(found: Findings) -> str:
    if found.alpha is None:
        return "not known"
    return f"{found.alpha:.3f} (95 %: {found.alpha_low:.3f} to {found.alpha_high:.3f})"
