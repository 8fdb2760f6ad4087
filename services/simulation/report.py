"""The summary as tables, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from services.simulation.annotators import FLOOR
from services.simulation.plan import Plan
from services.simulation.summary import OfKind, OfTarget, Summary
from streams.quality.intervals import Estimate

NOTES = f"""\
labels a pair  judgments bought, gold and adjudication among them
next point     cost of one more percent of right pairs, on to the next target
right          of all pairs, adjudicated ones included
calibration    expected error of the posteriors of verdicts by consensus
hours          of work until all is done, if everybody works all the time
asked in vain  requests that found nothing: what was open was left to others
by bad people  judgments given in misconduct; who seems to guess is asked seldom
honest         people of an accuracy of at least {FLOOR:g}; bad: all other kinds
judged         judgments of one person (median); unfit: not let on by qualification
alarmed        people of whom an alarm told the lead, enforced or not
delay          own judgments from misconduct to suspension (quartiles)"""


def show(plan: Plan, summary: Summary, console: Console) -> None:
    """What was asked, what each target costs and gives, and what became of each kind of people."""
    counts = ", ".join(f"{count} {kind}" for kind, count in plan.counts().items())
    console.print(f"{plan.pairs:,} pairs, {plan.annotators} annotators ({counts}), {plan.seeds} trials a target")
    console.print(targets_table(summary.targets))
    last = summary.targets[-1].target
    console.print(kinds_table([kind for kind in summary.kinds if kind.target == last], last))
    console.print(f"± and in brackets: 95 % intervals.\n{NOTES}", style="dim", highlight=False)


def targets_table(targets: Sequence[OfTarget]) -> Table:
    """One column a target posterior."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("target")
    for one in targets:
        table.add_column(f"{one.target:g}", justify="right")
    for name, cells in rows(targets).items():
        table.add_row(name, *cells)
    return table


def rows(targets: Sequence[OfTarget]) -> dict[str, list[str]]:
    """The lines of the table, by name."""
    return {
        "labels a pair": [around(one.labels_per_pair, ".2f") for one in targets],
        "cost": [around(one.cost, ",.0f") for one in targets],
        "next point": ["-" if one.next_point is None else f"{one.next_point:,.0f}" for one in targets],
        "right": [around(one.right, ".1%") for one in targets],
        "adjudicated": [around(one.adjudicated, ".1%") for one in targets],
        "calibration": [around(one.calibration_error, ".3f") for one in targets],
        "hours": [around(one.hours, ".1f") for one in targets],
        "asked in vain": [around(one.in_vain, ".0%") for one in targets],
        "by bad people": [around(one.by_bad, ".1%") for one in targets],
        "honest suspended": [between(one.honest_suspended) for one in targets],
        "bad suspended": [between(one.bad_suspended) for one in targets],
    }


def kinds_table(kinds: Sequence[OfKind], target: float) -> Table:
    """One line a kind of people."""
    title = f"people at target {target:g}, over all trials"
    table = Table(box=SIMPLE_HEAD, padding=(0, 0, 0, 1), title=title, title_justify="left")  # fits into 80 columns
    table.add_column("kind", no_wrap=True)
    rounds = ["unfit"] if any(one.turned_away.value for one in kinds) else []
    for name in ("people", "judged", *rounds, "alarmed", "suspended", "delay"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in kinds:
        turned_away = [f"{one.turned_away.value:.0%}"] if rounds else []
        cells = f"{one.alarmed.value:.0%}", between(one.suspended), delay(one)
        table.add_row(one.kind, str(one.people), f"{one.judgments:.0f}", *turned_away, *cells)
    return table


def delay(one: OfKind) -> str:
    """Median and quartiles."""
    if one.delay is None or one.delays is None:
        return "-"
    return f"{one.delay:.0f} ({one.delays[0]:.0f}–{one.delays[1]:.0f})"


def around(estimate: Estimate | None, form: str) -> str:
    """A number with half its interval's width; a dash where there is none."""
    if estimate is None:
        return "-"
    if estimate.high == estimate.low:  # a single trial
        return f"{estimate.value:{form}}"
    return f"{estimate.value:{form}} ±{(estimate.high - estimate.low) / 2:{form}}".replace("% ±", " ±")


def between(estimate: Estimate) -> str:
    """A share with its interval."""
    return f"{estimate.value:.0%} ({100 * estimate.low:.0f}–{100 * estimate.high:.0f})"
