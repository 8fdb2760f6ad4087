from math import log

import pytest
from rich.console import Console

from benchmarks.foretold import MIXES, certain, crowd_kit, ends, log_loss, losses, smoothed
from benchmarks.sets import Labels

LABELS: Labels = [(f"i{n}", f"w{m}", "tie" if (n + m) % 7 == 0 else "ab"[n % 2]) for n in range(30) for m in range(5)]  # type: ignore[misc]


def test_a_methods_log_loss_is_with_the_even_odds_that_are_best_for_it() -> None:
    sure, wrong = {"i": certain("a")}, {"i": certain("b")}
    assert log_loss(sure, {"i": "a"}) == pytest.approx(-log(1 - MIXES[0] * 2 / 3))
    assert log_loss(wrong, {"i": "a"}) == pytest.approx(-log(MIXES[-1] / 3))


def test_votes_are_smoothed_by_the_sets_shares() -> None:
    assert smoothed([("i", "w", "a"), ("j", "w", "b")])["i"] == pytest.approx((2.5 / 4, 1.5 / 4, 0.0))


def test_a_method_that_takes_minutes_needs_patience() -> None:
    many = LABELS * 100
    assert not ends("GLAD", many, patient=False)
    assert ends("GLAD", many, patient=True)
    assert ends("GLAD", LABELS, patient=False)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_method_of_crowd_kit_runs_or_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    found = losses(LABELS, Console())
    assert {"MajorityVote", "DawidSkene", "MACE", "Wawa", "ZeroBasedSkill", "Davidson", "refined"} <= found.keys()
    assert "KOS does not run: KOS aggregation method is for binary classification only" in capsys.readouterr().out
    assert found["refined"] < found["MajorityVote"]
    assert crowd_kit("MMSR", LABELS, Console())["i1"] == certain("b")
