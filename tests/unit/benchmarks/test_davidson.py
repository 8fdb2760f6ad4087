import random

import numpy as np
import pytest
from scipy.optimize import minimize

from benchmarks.davidson import DIFFERENCES, Davidson, chances
from streams.quality.consensus import CHOICES
from streams.quality.labelled import Labelled


def test_chances_are_davidsons() -> None:
    """π_a : ν·sqrt(π_a·π_b) : π_b, with worths 3 and 2."""
    a, b, tie = chances(np.array([np.log(3 / 2)]), 1.0, 0.7)[0]
    assert (a / b, tie / np.sqrt(a * b)) == (pytest.approx(3 / 2), pytest.approx(0.7))


def test_an_item_is_what_maximum_likelihood_makes_of_its_votes() -> None:
    """With votes enough, the believed chances are those of a direct fit of Davidson's two parameters."""
    said = [choice for choice, votes in zip(CHOICES, (420, 120, 160), strict=True) for _ in range(votes)]
    counts = np.array([said.count(choice) for choice in CHOICES])
    fit = minimize(lambda x: -counts @ np.log(chances(np.array([x[0]]), 1.0, np.exp(x[1]))[0]), (0.0, 0.0))
    model = Davidson([Labelled(item="i", annotator="w", choice=choice) for choice in said])
    direct = chances(np.array([fit.x[0]]), 1.0, float(np.exp(fit.x[1])))[0]
    assert model.foretell("i", "w") == pytest.approx(tuple(direct), abs=0.06)  # d and ν are out of a few


def test_who_says_tie_often_is_foretold_to_say_it() -> None:
    draw = random.Random(3)
    judgments = [
        Labelled(item=f"i{item}", annotator=who, choice=CHOICES[draw.choices(range(3), chances(d, 1.0, ties)[0])[0]])
        for item in range(150)
        for d in [np.array([draw.gauss(0, 2.5)])]
        for who, ties in (("seldom", 0.1), ("often", 3.0), ("third", 0.7))
    ]
    model = Davidson(judgments)
    seldom, often = (np.mean([model.foretell(f"i{n}", who)[2] for n in range(150)]) for who in ("seldom", "often"))
    assert seldom < 0.15 < 0.35 < often
    assert sum(model.foretell("i0", "nobody")) == pytest.approx(1)
    assert model.differences == pytest.approx(model.differences[::-1])
    assert len(model.differences) == len(DIFFERENCES)
