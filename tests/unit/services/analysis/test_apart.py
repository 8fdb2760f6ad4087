"""What needs numpy is made in another process, so that the service's own never loads it."""

import subprocess
import sys

import anyio

from services.analysis.apart import report
from streams.quality.collusion import rings
from streams.quality.ring import Answered

SERVICE = "import services.api.app, services.coordinator.coordinator, sys; sys.exit('numpy' in sys.modules)"


def test_the_service_itself_does_without_numpy() -> None:
    assert subprocess.run([sys.executable, "-c", SERVICE], check=False).returncode == 0


def test_a_report_made_apart_is_the_one_made_here() -> None:
    people = [f"w{n}" for n in range(12)]
    tasks = [
        Answered(answer="a", choices={who: "b" if n % 3 == 0 and who in people[:4] else "a" for who in people})
        for n in range(120)
    ]
    assert anyio.run(report, "rings.rings_report", tasks, 0.05) == rings(tasks, 0.05)
