"""Made-up judgments and verdicts that the stub makes its reports from."""

from __future__ import annotations

import random
import time
from functools import cache

from services.analysis.gather import CalibrationRound, Judged
from services.coordinator.calibration import DAY_MS, round_of
from streams.events import Calibration
from streams.quality.compared import Compared
from streams.quality.decided import Decided

MINUTE = 60_000
CONTRARY = 8  # the annotator who says the opposite in the newest calibration round


@cache
def decided() -> list[Decided]:
    """Verdicts of a campaign with a target of 0.9."""
    draw = random.Random(7)
    return [
        Decided(belief=belief, judgments=1 + round(belief * draw.random() * 5), target=0.9 if belief >= 0.9 else None)
        for belief in (draw.choice((draw.uniform(0.9, 0.99), draw.uniform(0.6, 0.9))) for _ in range(400))
    ]


@cache
def judged_by_vendors() -> Judged:
    """Two vendors over two days: law is ambiguous, south is careless and likes length, two models answer."""
    dice = random.Random(7)
    rows, tags = [], {}
    start = int(time.time() * 1000) - 2 * 24 * 60 * MINUTE
    for number in range(240):
        item, domain = f"t{number}", dice.choice(["code", "chat", "law", "health"])
        tags[item] = {"domain": domain, "locale": dice.choice(["en", "en", "de"])}
        truth, a, b = dice.choice("ab"), dice.randint(50, 900), dice.randint(50, 900)
        for who in dice.sample(range(12), 4):
            south = who % 2 == 1
            right = 0.55 if domain == "law" else 0.8 if south else 0.94
            choice = truth if dice.random() < right else "ab".replace(truth, "")
            if dice.random() < 0.08:
                choice = "tie"
            elif south and dice.random() < 0.2:
                choice = "a" if a > b else "b"
            rows.append(
                Compared(item=item, annotator=f"ukp/an{who:02}", choice=choice, swapped=dice.random() < 0.5, length_a=a,  # type: ignore[arg-type]
                         length_b=b, markdown_a=a // 200, markdown_b=dice.randint(0, 3), model_a="m1", model_b="m2",
                         answered_at=start + number * 8 * MINUTE + who * MINUTE)
            )  # fmt: skip
    vendors = {f"ukp/an{who:02}": {"vendor": "south" if who % 2 else "north"} for who in range(12)}
    return Judged(rows=rows, tags=tags, attributes=vendors)


def calibration_rounds(terms: Calibration, now: int, people: int) -> list[CalibrationRound]:
    """Four rounds, the newest first and not over: people agree better each time, and one stands apart in the newest."""
    return [calibration_round(terms, now, people, weeks) for weeks in range(4)]


def calibration_round(terms: Calibration, now: int, people: int, weeks: int) -> CalibrationRound:
    """The round of so many weeks ago."""
    draw, labels = random.Random(weeks), []
    for task in range(terms.tasks):
        for who in range(people - (weeks == 0 and task > 8)):
            right = (draw.random() < 0.93 - 0.05 * weeks) != (weeks == 0 and who == CONTRARY)
            labels.append((f"c{task}", f"ukp/an{who:02}", "ab"[(task % 2) ^ right]))
    name = round_of(terms, now - weeks * terms.every_days * DAY_MS)
    closed = 9 if weeks == 0 else terms.tasks
    return CalibrationRound(name=name, tasks=terms.tasks, closed=closed, people=people, labels=labels)
