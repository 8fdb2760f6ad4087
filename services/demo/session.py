"""One run of the demo, from the start of the service to the closing page."""

from __future__ import annotations

import os
import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from services.demo.crowd import Hired, hire
from services.demo.facts import RoundFacts, lone_accuracy, verdicts
from services.demo.policy import ENVIRONMENT, convert
from services.demo.rounds import Loop, leave_tasks, play_round, send_gold, write_campaign
from services.demo.running import Running, running_service
from services.demo.table import addresses, closing
from services.settings import read_settings

NEWEST_ALERTS = 1_000
FOR_THE_VISITOR = 16  # pairs left open where everything goes on running


def play(console: Console, bars: Progress, data: Path, model: Path, *, rounds: int, prompts: int, keep: bool) -> None:
    """Runs the demo. Raises DemoError and other PrefloopErrors whose message says the mend; nothing is left running."""
    settings = read_settings()
    os.environ.update(ENVIRONMENT)  # before torch is imported; the service and the trainer inherit it
    with running_service(data, settings) as service:
        visitor = service.post("/v1/annotators", {"name": "You", "role": "annotator"})
        where = addresses(service.url, service.dashboard_url, service.key, visitor["link"])
        console.print(where)
        people = hire(service)
        with bars:
            base = prepare(service, bars, model)
            loop = Loop(
                service=service, people=people, base=base, progress=bars, prompts=prompts, threads=settings.threads
            )
            facts = [play_round(loop, number) for number in range(1, rounds + 1)]
            if keep:
                leave_tasks(loop, rounds + 1, FOR_THE_VISITOR)
        show(console, service, people, facts, data)
        if keep:
            console.print(where)
            stay(console, service)


def prepare(service: Running, bars: Progress, model: Path) -> Path:
    """Campaign and gold first, so that the dashboard has something to show; then the model."""
    write_campaign(service, model)
    gold = bars.add_task("gold: pairs with a known answer", total=None)
    count = send_gold(service)
    bars.update(gold, total=count, completed=count)
    converting = bars.add_task("the model is made ready", total=None)
    base = convert(model)
    bars.update(converting, total=1, completed=1)
    return base.absolute()


def show(console: Console, service: Running, people: list[Hired], rounds: list[RoundFacts], data: Path) -> None:
    """The closing page."""
    told = service.get("/v1/annotators", limit=1_000)["annotators"]
    alerts = service.get("/v1/alerts", limit=NEWEST_ALERTS)["alerts"]
    console.print(closing(rounds, verdicts(people, told, alerts), lone_accuracy(people), data))


def stay(console: Console, service: Running) -> None:
    """Until Ctrl-C, or until the service ends."""
    console.print(f"Everything goes on running, and {FOR_THE_VISITOR} pairs wait to be judged by you. Ctrl-C ends it.")
    while True:
        service.spawned.check()
        time.sleep(1.0)
