"""One run of the demo, from the start of the service to the closing page."""

from __future__ import annotations

import os
import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from services.demo.crowd import hire
from services.demo.facts import RoundFacts, lone_accuracy, verdicts
from services.demo.policy import ENVIRONMENT, convert, read_prompts
from services.demo.rounds import Loop, leave_tasks, play_round, send_gold, write_campaign
from services.demo.running import Running, running_service
from services.demo.table import Example, addresses, closing
from services.settings import read_settings

NEWEST_ALERTS = 1_000
EXAMPLES = 3  # answers shown at the end
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
        show(console, loop, facts, data)
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


def show(console: Console, loop: Loop, rounds: list[RoundFacts], data: Path) -> None:
    """The closing page."""
    told = loop.service.get("/v1/annotators", limit=1_000)["annotators"]
    alerts = loop.service.get("/v1/alerts", limit=NEWEST_ALERTS)["alerts"]
    everybody = verdicts(loop.people, told, alerts)
    console.print(closing(rounds, examples(loop), everybody, lone_accuracy(loop.people), data))


def examples(loop: Loop) -> list[Example]:
    """What the model that everything started from and the champion of now answer to the same prompts."""
    before, after = loop.responses[str(loop.base)], loop.responses[loop.champion()]
    prompts = read_prompts("evaluation_prompts.txt")
    return [(prompt, old[0], new[0]) for prompt, old, new in zip(prompts, before, after, strict=True)][:EXAMPLES]


def stay(console: Console, service: Running) -> None:
    """Until Ctrl-C, or until the service ends."""
    console.print(f"Everything goes on running, and {FOR_THE_VISITOR} pairs wait to be judged by you. Ctrl-C ends it.")
    while True:
        service.spawned.check()
        time.sleep(1.0)
