"""`make chaos`: kills with -9 under load, and a report as a Markdown table."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tests.chaos.cluster import EveryProcess
from tests.chaos.deployments import OneMachine
from tests.chaos.run import Plan, Report, run
from tests.services.postgres import enterable


def main() -> None:
    """Exits with 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--cluster", action="store_true", help="Kafka, PostgreSQL, Redis and every process of ours")
    options = parser.parse_args()
    screen = Console(stderr=True)
    kind = EveryProcess if options.cluster else OneMachine
    folder = enterable(Path(tempfile.mkdtemp(prefix="prefloop-chaos-")))
    screen.print(f"logs in {folder}, which is kept where a promise was broken")
    with kind(folder / "chaos") as deployment:
        plan = Plan(kills=options.kills, seed=options.seed)
        report = run(deployment, plan, lambda name: screen.print(f"{datetime.now(UTC):%H:%M:%S} kill -9 {name}"))
    print("\n".join(lines_of(report)))  # noqa: T201
    if report.violations:
        sys.exit(1)
    shutil.rmtree(folder)


def lines_of(report: Report) -> Iterator[str]:
    """As Markdown."""
    kills = ", ".join(f"{count} × {name}" for name, count in sorted(report.kills.items()))
    yield "| seed | kills | outputs acknowledged | judgments acknowledged | seconds | violations |"
    yield "|---|---|---|---|---|---|"
    yield (
        f"| {report.plan.seed} | {kills} | {report.outputs:,} | {report.judgments:,} | {report.seconds:.0f}"
        f" | {len(report.violations)} |"
    )
    yield from report.violations


if __name__ == "__main__":
    main()
