"""The rounds of the demo: sample, judge, train, decide, measure; each through the service's HTTP API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rich.progress import Progress

from dashboard.client import RefusedError
from services.coordinator.intervals import Interval
from services.demo.crowd import Crowd, Hired
from services.demo.facts import RoundFacts, labels_of, mean_words, rows_of
from services.demo.policy import HERE, Policy, of_round, read_prompts
from services.demo.running import DemoError, Running
from services.demo.winrate import win_rate

CAMPAIGN = "demo"
EVALUATED = 2  # responses to each evaluation prompt
LOOK = 0.5  # seconds between looks at the service
GATE = 300.0  # seconds that the gate may take
SETTLED = 300.0  # seconds that stages and views may take to catch up
CALM = 2.5  # seconds without a lag that count as caught up: a cluster tells one that is up to two seconds old
STALLED = 900.0  # seconds without a sign of the trainer after which the demo gives up
EVALUATION_SEED = 7_000_000


@dataclass(kw_only=True)
class Loop:
    """What all rounds share."""

    service: Running
    people: Sequence[Hired]
    base: Path  # folder of the model that everything starts from
    progress: Progress
    prompts: int  # a round
    threads: int = 2
    campaign: str = CAMPAIGN
    run: str = "run"  # begins the ids of the outputs, so that no two runs against one deployment meet
    seen: set[str] = field(default_factory=set)  # tasks of earlier rounds
    responses: dict[str, list[list[str]]] = field(default_factory=dict)  # to the evaluation prompts, by model
    make_policy: Callable[[str, int], Policy] = Policy

    def champion(self) -> str:
        """Folder of the model that answers now."""
        try:
            return str(self.service.get(f"/v1/campaigns/{self.campaign}/champion")["uri"])
        except RefusedError as error:
            if error.status != 404:
                raise
            return str(self.base)

    @contextmanager
    def bar(self, description: str, total: float | None) -> Iterator[Callable[..., None]]:
        """A progress bar; what is yielded updates it. Where nobody watches a terminal, a line says that it began."""
        if not self.progress.console.is_terminal:
            self.progress.console.print(description, highlight=False)
        task = self.progress.add_task(description, total=total)
        yield lambda **news: self.progress.update(task, **news)
        last = next(bar for bar in self.progress.tasks if bar.id == task)
        self.progress.update(task, total=last.total or 1, completed=last.total or 1)


def write_campaign(service: Running, base: Path, recipe: str = "demo", **training: Any) -> None:
    """Writes the demo's campaign, with the model as its anchor."""
    definition = yaml.safe_load((HERE / "campaign.yaml").read_text("utf-8"))
    name = definition.pop("name")
    definition["training"]["config"] = {"recipe": recipe, "over_refusal_prompts": str(HERE / "over_refusal.csv")}
    definition["training"] |= {"base_model": str(base.absolute()), **training}
    service.put(f"/v1/campaigns/{name}", definition)


def send_gold(service: Running) -> int:
    """Sends the pairs with a known answer; how many."""
    pairs = yaml.safe_load((HERE / "gold.yaml").read_text("utf-8"))
    outputs = [gold_output(number, pair) for number, pair in enumerate(pairs)]
    send(service, outputs)
    return len(outputs)


def gold_output(number: int, pair: dict[str, str]) -> dict[str, Any]:
    """The good response first in every second one."""
    first = number % 2 == 0
    return {
        "id": f"gold-{number}",
        "campaign": CAMPAIGN,
        "prompt": pair["prompt"],
        "responses": [pair["good"], pair["bad"]] if first else [pair["bad"], pair["good"]],
        "gold": "a" if first else "b",
        "model": "written by hand",
    }


def send(service: Running, outputs: Sequence[dict[str, Any]]) -> None:
    """Sends a batch. Raises DemoError where an output is refused: those of the demo are well formed."""
    answer = service.post("/v1/outputs", {"outputs": list(outputs)})
    if answer["rejected"]:
        raise DemoError(f"the service refused an output of the demo: {answer['errors'][0]}")


def play_round(loop: Loop, number: int) -> RoundFacts:
    """One round; the champion may be another one afterwards."""
    seconds: dict[str, float] = {}
    old = loop.champion()
    prompts = of_round(read_prompts("prompts.txt"), number, loop.prompts)
    with timed(seconds, "sampling and judging"), Crowd(loop.service.client, loop.people, loop.campaign) as crowd:
        sample(loop, number, old, prompts, crowd.forget_idleness)
        annotate(loop, number, crowd)
    batch = cut(loop)
    with timed(seconds, "training"):
        run = train(loop, number, batch)
    model = decided_model(loop, run)
    rows = rows_of(loop.service.lines(f"/v1/datasets/{batch}"))
    with timed(seconds, "evaluation"):
        rate = compare(loop, number, model["uri"], old)
    decision = model.get("decision") or {}
    return RoundFacts(
        number=number,
        prompts=len(prompts),
        labels=labels_of(rows, loop.seen),
        train_pairs=sum(row["split"] == "train" for row in rows),
        holdout_pairs=sum(row["split"] == "holdout" for row in rows),
        decision=str(decision.get("decision", model["status"])),
        reasons=tuple(decision.get("reasons", ())),
        model=model["model"],
        win_rate=rate,
        words=(mean_words(loop.responses[old]), mean_words(loop.responses[model["uri"]])),
        seconds=seconds,
    )


def settle(service: Running) -> None:
    """Returns when stages and views have caught up. Raises DemoError where they do not."""
    begin = behind_at = time.monotonic()
    while True:
        lag, now = max(service.get("/v1/live")["lag"].values()), time.monotonic()
        if lag and now - begin > SETTLED:
            raise DemoError(f"stages or views are {lag} events behind since {SETTLED:.0f} s: look at the workers' logs")
        if lag:
            behind_at = now
        elif now - behind_at >= CALM:
            return
        time.sleep(LOOK)


def leave_tasks(loop: Loop, number: int, count: int) -> None:
    """The champion answers once more, and nobody but the visitor judges."""
    sample(loop, number, loop.champion(), of_round(read_prompts("prompts.txt"), number, count), lambda: None)


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Writes down how long the block took."""
    begin = time.monotonic()
    yield
    seconds[name] = time.monotonic() - begin


def sample(loop: Loop, number: int, uri: str, prompts: Sequence[str], sent: Callable[[], None]) -> None:
    """The policy answers; what it says is sent while it goes on, so that people can begin. `sent` is told each time.

    A pair with an answer of no words is left out, as the service would refuse it: a tiny random model gives some.
    """
    with loop.bar(f"round {number}: the policy answers", len(prompts)) as update:
        policy, done = loop.make_policy(uri, loop.threads), 0
        for pairs in policy.candidates(prompts, seed=1_000 * number):
            model = Path(uri).name
            said = [(i, pair) for i, pair in enumerate(pairs, done) if all(text.strip() for text in pair)]
            send(loop.service, [output(loop, number, i, prompts[i], pair, model) for i, pair in said])
            sent()
            done += len(pairs)
            update(completed=done)
        policy.close()


def output(loop: Loop, number: int, index: int, prompt: str, pair: Sequence[str], model: str) -> dict[str, Any]:
    """What a production model would send."""
    return {
        "id": f"{loop.run}-round-{number}-{index}",
        "campaign": loop.campaign,
        "prompt": prompt,
        "responses": list(pair),
        "model": model,
        "tags": {"round": str(number)},
    }


def annotate(loop: Loop, number: int, crowd: Crowd) -> None:
    """Waits until everybody has nothing to do any more, and still nothing when stages and views have caught up."""
    with loop.bar(f"round {number}: people judge", loop.prompts) as update:
        watch_work(loop, number, crowd, update)
        before = -1
        while before != crowd.judged:  # a stage that was away made no tasks meanwhile
            settle(loop.service)
            before = crowd.judged
            crowd.forget_idleness()
            watch_work(loop, number, crowd, update)


def watch_work(loop: Loop, number: int, crowd: Crowd, update: Callable[..., None]) -> None:
    """Returns when everybody has nothing to do."""
    while not crowd.is_done():
        queue = loop.service.get("/v1/live")["queue"]
        open_now = queue["open"] + queue["escalated"]
        update(completed=max(0, loop.prompts - open_now), description=judging(number, crowd.judged))
        time.sleep(LOOK)


def judging(number: int, judged: int) -> str:
    """What the bar says."""
    return f"round {number}: people judge ({judged} judgments)"


def cut(loop: Loop) -> str:
    """The id of a new batch. Where the answer to a first try was lost, the second one finds it cut."""

    def batches() -> list[str]:
        return [one["batch"] for one in loop.service.get("/v1/batches")["batches"] if one["campaign"] == loop.campaign]

    before = set(batches())
    try:
        return str(loop.service.post("/v1/batches", {"campaign": loop.campaign})["batch"])
    except RefusedError:
        for batch in batches():
            if batch not in before:
                return batch
        raise


def train(loop: Loop, number: int, batch: str) -> str:
    """Follows the run of that batch to its end; its id. Raises DemoError where it fails or nothing moves."""
    heard, before = time.monotonic(), ""
    with loop.bar(f"round {number}: training", None) as update:
        while True:
            run = next((run for run in loop.service.get("/v1/runs")["runs"] if run["batch"] == batch), None)
            now = "" if run is None else f"{run['status']} {run['stage']} {run['step']}"
            if now != before:
                heard, before = time.monotonic(), now
            if run is not None:
                update(**shown(number, run))
                if run["status"] == "finished":
                    return str(run["run"])
                if run["status"] == "failed":
                    raise DemoError(f"the training run failed: {run['error']}")
            if time.monotonic() - heard > STALLED:
                raise DemoError(f"no sign of the trainer for {STALLED:.0f} s; see {loop.service.log}")
            time.sleep(LOOK)


def shown(number: int, run: dict[str, Any]) -> dict[str, Any]:
    """What the bar says of a run."""
    stage = (run["stage"] or "waiting for the trainer").replace("_", " ")
    return {
        "description": f"round {number}: training, {stage}",
        "completed": run["step"],
        "total": run["steps"] or None,
    }


def decided_model(loop: Loop, run: str) -> dict[str, Any]:
    """The run's model when the gate has decided about it. Raises DemoError where it does not."""
    end = time.monotonic() + GATE
    with loop.bar("the gate decides", None):
        while time.monotonic() < end:
            models = loop.service.get("/v1/models")["models"]
            model = next((model for model in models if model["run"] == run), None)
            if model is not None and model["status"] != "candidate":
                return dict(loop.service.get(f"/v1/models/{model['model']}"))
            time.sleep(LOOK)
    raise DemoError(f"the gate has not decided after {GATE:.0f} s; see {loop.service.log}")


def compare(loop: Loop, number: int, new: str, old: str) -> Interval:
    """The win rate of one model over the other on prompts that were never sent."""
    prompts = read_prompts("evaluation_prompts.txt")
    missing = [uri for uri in (old, new) if uri not in loop.responses]
    with loop.bar(f"round {number}: new against old", len(prompts) * len(missing)) as update:
        done = 0
        for uri in missing:
            policy, answers = loop.make_policy(uri, loop.threads), []
            for chunk in policy.responses(prompts, EVALUATED, EVALUATION_SEED):
                answers += chunk
                done += len(chunk)
                update(completed=done)
            loop.responses[uri] = answers
            policy.close()
    return win_rate(loop.responses[new], loop.responses[old])
