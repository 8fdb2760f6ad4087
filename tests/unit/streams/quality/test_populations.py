"""Populations on simulated crowds, where it is known whether there is one truth or two."""

import numpy as np
import pytest

from streams.events import Choice
from streams.quality.compared import Compared
from streams.quality.populations import Populations, populations

PEOPLE, ITEMS, EACH = 16, 1_500, 5


def crowd(seed: int, minority: int = 0, guessers: int = 2, one_sided: int = 2, items: int = ITEMS) -> list[Compared]:
    """The first `minority` people see four items in ten the other way round; skill and difficulty vary for all."""
    dice = np.random.default_rng(seed)
    skill = dice.beta(18, 2, PEOPLE)
    truth = dice.integers(0, 2, items)
    theirs = np.where(dice.random(items) < 0.4, 1 - truth, truth)
    rows = []
    for item in range(items):
        clear = 0.6 + 0.4 * dice.random()
        for person in dice.choice(PEOPLE, EACH, replace=False):
            seen = int(theirs[item] if person < minority else truth[item])
            swapped = bool(dice.random() < 0.5)
            right = 0.5 if person >= PEOPLE - guessers else 0.5 + (skill[person] - 0.5) * clear
            choice: Choice = "ab"[seen if dice.random() < right else 1 - seen]  # type: ignore[assignment]
            if PEOPLE - guessers - one_sided <= person < PEOPLE - guessers:
                choice = "b" if swapped else "a"
            rows.append(Compared(item=f"i{item}", annotator=f"w{person}", choice=choice, swapped=swapped))
    return rows


def numbers(found: Populations) -> list[set[int]]:
    return [{int(name[1:]) for name in group} for group in found.groups]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_minority_that_sees_it_otherwise_is_found(seed: int) -> None:
    found = populations(crowd(seed, minority=5))
    assert found.p is not None
    assert found.p <= 0.01
    minority = max(numbers(found), key=lambda group: len(group & set(range(5))))
    assert len(minority & set(range(5))) >= 3
    assert not minority & set(range(5, 12))
    assert found.difference is not None
    assert found.difference.value > 0.03  # on items that the split was not made from


@pytest.mark.slow
def test_skill_guessing_and_one_sidedness_are_no_populations() -> None:
    """One truth, people of every kind: a split in at most the stated share, here 1 in 100."""
    split = sum(bool(populations(crowd(seed, items=500)).groups) for seed in range(15))
    assert split <= 1


def test_the_same_judgments_give_the_same_answer() -> None:
    rows = crowd(1, minority=5, items=400)
    assert populations(rows) == populations(rows)


@pytest.mark.parametrize("rows", [[], crowd(0, items=10)])
def test_too_few_judgments_say_nothing(rows: list[Compared]) -> None:
    found = populations(rows)
    assert (found.groups, found.p, found.difference) == ([], None, None)
