"""One run of the demo, from the start of the service to the closing page."""

from __future__ import annotations

import json
import os
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from services.demo.crowd import hire
from services.demo.facts import RoundFacts, lone_accuracy, verdicts
from services.demo.policy import ENVIRONMENT, convert, read_prompts
from services.demo.rounds import CAMPAIGN, Loop, leave_tasks, play_round, send_gold, write_campaign
from services.demo.running import Running, deployed_service, running_service
from services.demo.table import Example, addresses, closing
from services.settings import Settings, read_settings
from streams.errors import SettingsError

NEWEST_ALERTS = 1_000
EXAMPLES = 3  # answers shown at the end
FOR_THE_VISITOR = 16  # pairs left open where everything goes on running


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is played, and where."""

    data: Path  # folder of this run
    model: Path  # folder of the model that everything starts from, made where it is missing
    rounds: int = 2
    prompts: int = 96  # a round
    keep: bool = False  # leave pairs for the visitor and, where the service is the demo's own, everything running
    tiny: bool = False  # a tiny random model in place of the real one
    against: str = ""  # URL of a deployment; "" starts a service of the demo's own


def play(console: Console, bars: Progress, plan: Plan) -> None:
    """Runs the demo. Raises DemoError and other PrefloopErrors whose message says the mend.

    A service that it started has ended when it returns; a deployment goes on.
    """
    settings = read_settings()
    os.environ.update(ENVIRONMENT)  # before torch is imported; the service and the trainer inherit it
    with service_of(plan, settings) as service:
        visitor = service.post("/v1/annotators", {"name": "You", "role": "annotator"})
        where = addresses(service.url, service.dashboard_url, service.key, visitor["link"])
        console.print(where, soft_wrap=True)  # a link is copied whole
        people = hire(service)
        with bars:
            loop = Loop(
                service=service,
                people=people,
                base=prepare(service, bars, plan),
                progress=bars,
                prompts=plan.prompts,
                threads=settings.threads,
                run=plan.data.name,
                seen={json.loads(line)["task"] for line in service.lines(f"/v1/preferences?campaign={CAMPAIGN}")},
            )
            facts = [play_round(loop, number) for number in range(1, plan.rounds + 1)]
            if plan.keep:
                leave_tasks(loop, plan.rounds + 1, FOR_THE_VISITOR)
        show(console, loop, facts, plan)
        if plan.keep and not plan.against:
            console.print(where, soft_wrap=True)
            stay(console, service)


def service_of(plan: Plan, settings: Settings) -> AbstractContextManager[Running]:
    """The deployment that is named, with the key in PREFLOOP_KEY, or a service of the demo's own."""
    if not plan.against:
        return running_service(plan.data, settings)
    if not (key := os.environ.get("PREFLOOP_KEY", "")):
        raise SettingsError("no key: set PREFLOOP_KEY to the deployment's admin key")
    return deployed_service(plan.against, key)


def prepare(service: Running, bars: Progress, plan: Plan) -> Path:
    """Campaign and gold first, so that the dashboard has something to show; then the model."""
    write_campaign(service, plan.model, "tiny" if plan.tiny else "demo")
    gold = bars.add_task("gold: pairs with a known answer", total=None)
    count = send_gold(service)
    bars.update(gold, total=count, completed=count)
    converting = bars.add_task("the model is made ready", total=None)
    base = tiny(plan.model) if plan.tiny else convert(plan.model)
    bars.update(converting, total=1, completed=1)
    return base.absolute()


def tiny(folder: Path) -> Path:
    """A model that is made in a moment and says nothing sensible."""
    from services.trainer.tiny import make_tiny

    return folder if folder.is_dir() else make_tiny(folder)


def show(console: Console, loop: Loop, rounds: list[RoundFacts], plan: Plan) -> None:
    """The closing page."""
    told = loop.service.get("/v1/annotators", limit=1_000)["annotators"]
    alerts = loop.service.get("/v1/alerts", limit=NEWEST_ALERTS)["alerts"]
    everybody = verdicts(loop.people, told, alerts)
    kept = (
        f"Everything is in the deployment at {plan.against}."
        if plan.against
        else f"Everything is in {plan.data}; `prefloop up --data {plan.data}` opens it again, with the same admin key."
    )
    console.print(closing(rounds, examples(loop), everybody, lone_accuracy(loop.people)))
    console.print(kept, soft_wrap=True, markup=False, highlight=False)


def examples(loop: Loop) -> list[Example]:
    """What the model that everything started from and the champion of now answer to the same prompts."""
    before, after = loop.responses[str(loop.base)], loop.responses[loop.champion()]
    prompts = read_prompts("evaluation_prompts.txt")
    return [(prompt, old[0], new[0]) for prompt, old, new in zip(prompts, before, after, strict=True)][:EXAMPLES]


def stay(console: Console, service: Running) -> None:
    """Until Ctrl-C, or until the service ends."""
    console.print(f"Everything goes on running, and {FOR_THE_VISITOR} pairs wait to be judged by you. Ctrl-C ends it.")
    while True:
        service.check()
        time.sleep(1.0)
