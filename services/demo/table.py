"""The demo's closing page: a table of the rounds, one of the annotators, and where to click. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.coordinator.intervals import Interval, wilson
from services.demo.facts import Labels, RoundFacts, Verdict

Example = tuple[str, str, str]  # a prompt, the first model's answer, the champion's

SURELY = "new policy surely better"
STYLE = {"found": "green", "missed": "yellow", "false alarm": "red"}


def rounds_table(rounds: Sequence[RoundFacts]) -> Table:
    """One column a round."""
    table = Table(title="The loop, round by round", title_justify="left")
    table.add_column("")
    for facts in rounds:
        table.add_column(f"round {facts.number}")
    rows: list[tuple[str, list[RenderableType]]] = [
        ("prompts, two candidates each", [f"{facts.prompts}" for facts in rounds]),
        ("labels used", [labels_cell(facts.labels) for facts in rounds]),
        ("consensus right, by the hidden truth", [consensus_cell(facts.labels) for facts in rounds]),
        ("pairs trained on / held out", [f"{facts.train_pairs} / {facts.holdout_pairs}" for facts in rounds]),
        ("gate", [decision_cell(facts) for facts in rounds]),
        ("win rate of the new policy over the old", [win_cell(facts.win_rate) for facts in rounds]),
        ("words of a response, old and new", [f"{facts.words[0]:.0f}, {facts.words[1]:.0f}" for facts in rounds]),
        ("time", [time_cell(facts) for facts in rounds]),
    ]
    for name, cells in rows:
        table.add_row(name, *cells)
    return table


def labels_cell(labels: Labels) -> str:
    """Judgments, and how many a pair took."""
    if not labels.pairs:
        return "none"
    return f"{labels.judgments} on {labels.pairs} pairs ({labels.judgments / labels.pairs:.1f} a pair)"


def consensus_cell(labels: Labels) -> str:
    """Share right with its 95 % interval, of the pairs where the truth is no tie."""
    if not labels.clear:
        return "no clear pair"
    interval = wilson(labels.right, labels.clear, 0.95)
    return f"{per_cent(interval)} of {labels.clear} clear pairs"


def decision_cell(facts: RoundFacts) -> str:
    """Promoted, or not and who goes on."""
    return facts.decision if facts.decision == "promoted" else f"{facts.decision}; the champion goes on"


def win_cell(interval: Interval | None) -> Text:
    """The rate with its 95 % interval, and in words what it shows."""
    if interval is None:
        return Text("not measured")
    if interval.low > 0.5:
        return Text(f"{per_cent(interval)}: {SURELY}", style="bold green")
    return Text(f"{per_cent(interval)}: {'new policy surely worse' if interval.high < 0.5 else 'no sure difference'}")


def time_cell(facts: RoundFacts) -> str:
    """Minutes and seconds, by stage."""
    stages = ", ".join(f"{name} {clock(seconds)}" for name, seconds in facts.seconds.items())
    return f"{clock(sum(facts.seconds.values()))} ({stages})"


def per_cent(interval: Interval) -> str:
    """`78 % [69, 86]`."""
    return f"{100 * interval.estimate:.0f} % [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"


def clock(seconds: float) -> str:
    """`2:05`."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def reasons_table(rounds: Sequence[RoundFacts]) -> Table:
    """What the gate asked, and the answers."""
    table = Table(title="What the gate found", title_justify="left")
    table.add_column("round")
    table.add_column("finding")
    for facts in rounds:
        for number, reason in enumerate(facts.reasons):
            table.add_row(str(facts.number) if number == 0 else "", reason)
    return table


def examples_table(examples: Sequence[Example]) -> Table:
    """The same prompts before and after."""
    table = Table(title="Answers before and after", title_justify="left", show_lines=True)
    for name in ("prompt", "the model at first", "the champion now"):
        table.add_column(name)
    for example in examples:
        table.add_row(*(Text(text) for text in example))
    return table


def annotators_table(everybody: Sequence[Verdict], lone: float | None) -> Table:
    """What each simulated annotator really is, beside what quality control thinks of them."""
    mean = "" if lone is None else f"; a single judgment is right in {100 * lone:.0f} % of the clear pairs"
    table = Table(title=f"The annotators{mean}", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=0)
    for name in ("", "really", "judged", "right", "estimated", "standing", "alarms", ""):
        table.add_column(name)
    for one in everybody:
        table.add_row(
            one.name,
            one.kind,
            str(one.judged),
            "" if one.really is None else f"{one.really:.2f}",
            "" if one.estimated is None else "{:.2f} {:.2f}-{:.2f}".format(*one.estimated),
            one.standing,
            ", ".join(one.alarms),
            Text(one.found, style=STYLE[one.found]) if one.found != "left alone" else "",
        )
    return table


def flagged_line(everybody: Sequence[Verdict]) -> str:
    """Who was flagged, in one sentence."""
    bad = [one for one in everybody if one.found in ("found", "missed")]
    false = [one.name for one in everybody if one.found == "false alarm"]
    caught = [f"{one.name} ({one.kind})" for one in bad if one.found == "found"]
    missed = [f"{one.name} ({one.kind})" for one in bad if one.found == "missed"]
    return (
        f"{len(caught)} of {len(bad)} bad annotators are flagged: {', '.join(caught) or 'nobody'};"
        f" not yet: {', '.join(missed) or 'nobody'}; false alarms: {', '.join(false) or 'none'}."
    )


def addresses(url: str, dashboard_url: str, key: str, link: str) -> Text:
    """Where to click, and with which key. Of a deployment, whose dashboard is not known, its people have both."""
    lines = [f"Judge yourself   {link}", f"API              {url}/docs", ""]
    if dashboard_url:
        lines = [f"Dashboard        {dashboard_url}   sign in with the admin key", f"Admin key        {key}", *lines]
    return Text("\n".join(["Where to click", "", *lines]))


def closing(
    rounds: Sequence[RoundFacts],
    examples: Sequence[Example],
    everybody: Sequence[Verdict],
    lone: float | None,
) -> RenderableType:
    """The whole page."""
    return Group(
        "",
        rounds_table(rounds),
        "",
        reasons_table(rounds),
        "",
        examples_table(examples),
        "",
        annotators_table(everybody, lone),
        Text(flagged_line(everybody)),
    )
