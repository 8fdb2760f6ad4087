"""`prefloop simulate`: what a campaign will cost and give, before people are paid."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import yaml
from rich.console import Console
from rich.progress import track

from services.simulation import picture
from services.simulation.annotators import DESCRIPTIONS
from services.simulation.plan import Plan, crowd_of, read_plan
from services.simulation.report import show
from services.simulation.summary import Summary, summarised
from services.simulation.trial import Result, Trial
from services.written import require_writable, writing
from streams.errors import InputError

KINDS = ", ".join(f"{kind} ({text})" for kind, text in DESCRIPTIONS.items() if kind != "honest")


def simulate_command(
    plan: Annotated[
        Path | None, typer.Argument(help="YAML with what differs from the defaults; see --show-plan.")
    ] = None,
    target: Annotated[
        list[float] | None, typer.Option(help="Target posterior; give it several times to compare. [0.8 0.9 0.95]")
    ] = None,
    pairs: Annotated[int | None, typer.Option(help="Pairs to be judged. [1000]")] = None,
    annotators: Annotated[int | None, typer.Option(help="People in the crowd. [24]")] = None,
    crowd: Annotated[
        str | None,
        typer.Option(
            help=f"Shares of the crowd, the rest honest: random=0.1,ring=0.05 or '' for nobody. Kinds: {KINDS}."
        ),
    ] = None,
    accuracy: Annotated[float | None, typer.Option(help="Average accuracy of the honest. [0.8]")] = None,
    ties: Annotated[float | None, typer.Option(help="Share of pairs where neither response is better. [0.1]")] = None,
    difficulty: Annotated[
        float | None, typer.Option(help="How much pairs differ in difficulty: sd on the log-odds, 0 for not. [0.7]")
    ] = None,
    cap: Annotated[int | None, typer.Option(help="Most judgments a pair; then an adjudicator decides. [7]")] = None,
    gold: Annotated[int | None, typer.Option(help="Further pairs with a known answer, as checks. [50]")] = None,
    price: Annotated[float | None, typer.Option(help="Of one judgment, in your currency. [0.1]")] = None,
    adjudication_price: Annotated[float | None, typer.Option(help="Of one adjudication. [0.5]")] = None,
    seeds: Annotated[int | None, typer.Option(help="Trials a target; more make narrower intervals. [5]")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the result: .svg, .png, .html or .json (Vega-Lite).")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the summary and every trial here, as JSON.")] = None,
    show_plan: Annotated[bool, typer.Option("--show-plan", help="Print the plan as YAML and stop.")] = False,
) -> None:
    """Size a campaign before paying people: labels a pair, cost, quality, and how soon bad annotators are stopped.

    A made-up crowd works through a campaign in memory, by the very steps that run in the service.
    Nothing is written but what you ask for. All cores work; on two the defaults take ten seconds.
    docs/simulate.md says how to choose accuracy, ties and difficulty, and how to read the result.
    """
    given = {
        "targets": target or None,
        "pairs": pairs,
        "annotators": annotators,
        "crowd": None if crowd is None else crowd_of(crowd),
        "accuracy": accuracy,
        "ties": ties,
        "difficulty_sd": difficulty,
        "overlap_cap": cap,
        "gold": gold,
        "price": price,
        "adjudication_price": adjudication_price,
        "seeds": seeds,
    }
    wanted = read_plan(plan, {name: value for name, value in given.items() if value is not None})
    if show_plan:
        typer.echo(as_yaml(wanted), nl=False)
        return
    for place, option in ((out, "out"), (plot, "plot")):
        if place is not None:
            require_writable(place, option)
    if plot is not None:
        picture.check_format(plot)
    console = Console(stderr=True)
    results = run(wanted, lambda begun: track(begun, description="simulating", console=console, transient=True))
    summary = summarised(results)
    show(wanted, summary, Console())
    if out is not None:
        save(out, wanted, summary, results)
    if plot is not None:
        picture.save_picture(plot, summary, results)
        console.print(f"drawn: {plot}", highlight=False)


def run(plan: Plan, watched: Callable[[Sequence[Future[Result]]], Iterable[Future[Result]]] = iter) -> list[Result]:
    """Every target with every seed, in that order, on all cores; `watched` sees which one is waited for.

    Raises InputError where the machine ends a trial's process, as it does for want of memory.
    """
    asked = trials(plan)
    try:
        with workers(min(os.cpu_count() or 1, len(asked))) as pool:
            begun = [pool.submit(trial, plan, *each) for each in asked]
            return [one.result() for one in watched(begun)]
    except BrokenProcessPool as error:
        raise InputError("the machine ended a trial, mostly for want of memory: simulate fewer pairs") from error


def trials(plan: Plan) -> list[tuple[float, int]]:
    """Targets and seeds. The same seed is the same crowd and the same pairs at each target."""
    seeds = range(plan.first_seed, plan.first_seed + plan.seeds)
    return [(target, seed) for target in sorted(set(plan.targets)) for seed in seeds]


def trial(plan: Plan, target: float, seed: int) -> Result:
    """One of them."""
    return Trial(plan, target, seed).run()


def workers(number: int) -> ProcessPoolExecutor:
    """Processes for trials. Ctrl-C ends them without a word, and the command says what there is to say."""
    begun = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(number, begun, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_DFL))


def as_yaml(plan: Plan) -> str:
    """The plan as a file that `prefloop simulate` reads."""
    return yaml.safe_dump(msgspec.to_builtins(plan), sort_keys=False)


def save(out: Path, plan: Plan, summary: Summary, results: Sequence[Result]) -> None:
    """Everything, as JSON. Raises InputError where the place cannot be written to."""
    found = msgspec.json.encode({"plan": plan, "summary": summary, "trials": results})
    with writing(out):
        out.write_bytes(msgspec.json.format(found, indent=1) + b"\n")
