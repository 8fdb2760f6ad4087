"""One run of chaos: load, kills at seeded moments, and the history checked at the end."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from streams.errors import UnavailableError
from tests.chaos.deployments import ADMIN, Deployment
from tests.chaos.history import violations
from tests.chaos.load import Load

OVERLAP = 2
PATIENCE = 600.0  # seconds without enough acknowledgements after which the deployment counts as dead
# `spread`: they answer at random, and whoever is suspended for it has judgments taken back and given to others.
CAMPAIGN = {"spread": True, "rules": [{"overlap": OVERLAP}], "targets": {"overlap_cap": OVERLAP}, "gold_rate": 0.0}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much load, how many kills, and the seed of all choices."""

    kills: int
    seed: int
    producers: int = 8
    annotators: int = 20
    between: int = 60  # acknowledgements between two kills, on average


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of it."""

    plan: Plan
    kills: Counter[str]
    outputs: int  # acknowledged
    judgments: int
    seconds: float
    violations: list[str]


def run(deployment: Deployment, plan: Plan, told: Callable[[str], None] = lambda _: None) -> Report:
    """Kills members at moments drawn from the seed while the load runs; then counts. `told` hears of each kill."""
    begin, choices = time.monotonic(), random.Random(plan.seed)
    deployment.http.put("/v1/campaigns/default", json=CAMPAIGN).raise_for_status()
    names = [{"name": f"annotator {number}"} for number in range(plan.annotators)]
    keys = [deployment.http.post("/v1/annotators", json=name).raise_for_status().json()["key"] for name in names]
    killed: Counter[str] = Counter()
    stalled: list[str] = []
    with Load(deployment.urls, ADMIN, keys, producers=plan.producers, seed=plan.seed) as load:
        for _ in range(plan.kills):
            if not _more(load, choices.randint(1, 2 * plan.between)):
                stalled.append(f"no more acknowledgements {PATIENCE:.0f} s after {dict(killed)}")
                break
            name = choices.choice(sorted(deployment.members))
            told(name)
            deployment.members[name].kill()
            killed[name] += 1
            try:
                deployment.members[name].start()
            except UnavailableError as error:
                stalled.append(f"{name} did not come back after {dict(killed)}: {error}")
                break
        _more(load, plan.between)
    return Report(
        plan=plan,
        kills=killed,
        outputs=len(load.acknowledged.outputs),
        judgments=len(load.acknowledged.judgments),
        seconds=time.monotonic() - begin,
        violations=[*stalled, *load.failures, *violations(load.acknowledged, deployment.found(OVERLAP))],
    )


def _more(load: Load, acknowledgements: int) -> bool:
    return load.acknowledged.wait_for(len(load.acknowledged) + acknowledgements, PATIENCE)
