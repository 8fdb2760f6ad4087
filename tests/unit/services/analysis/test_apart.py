"""What needs numpy is made in another process, so that the service's own never loads it."""

import anyio

from services.analysis.apart import report
from streams.quality.collusion import rings
from streams.quality.ring import Answered


def test_a_report_made_apart_is_the_one_made_here() -> None:
    people = [f"w{n}" for n in range(12)]
    tasks = [
        Answered(answer="a", choices={who: "b" if n % 3 == 0 and who in people[:4] else "a" for who in people})
        for n in range(120)
    ]
    assert anyio.run(report, "rings.rings_report", tasks, 0.05) == rings(tasks, 0.05)
