"""Findings about several annotators at once: collusion, copied reasons, bursts, and the false discovery rate."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from streams.events import Choice
from streams.quality import bursts, collusion, copying, discovery, reasons
from streams.quality.bursts import HOUR_MS, Newcomer
from streams.quality.ring import Answered

# ---------------------------------------------------------------- false discoveries


@given(st.dictionaries(st.integers(0, 50), st.floats(0, 1e6), max_size=30), st.floats(0.01, 0.5))
def test_the_accused_are_the_strongest_and_meet_the_bound(evidence: dict[int, float], rate: float) -> None:
    found = discovery.accused(evidence, rate)
    rest = [evidence[key] for key in evidence if key not in found]
    if found:
        weakest = min(evidence[key] for key in found)
        assert weakest >= len(evidence) / (len(found) * rate) * (1 - 1e-9)
        assert all(other <= weakest for other in rest)


def test_few_false_discoveries_among_many() -> None:
    """E-values of innocents are 1 on average: 20 with probability 1/20. Of the accused at most a tenth is innocent."""
    shares = []
    for seed in range(200):
        draw = random.Random(seed)
        innocent = {n: 2000.0 if draw.random() < 1 / 2000 else draw.random() for n in range(180)}
        found = discovery.accused(innocent | dict.fromkeys(range(180, 200), 400.0), 0.1)
        shares.append(sum(n < 180 for n in found) / max(len(found), 1))
        assert set(range(180, 200)) <= set(found)
    assert sum(shares) / len(shares) <= 0.1


def test_the_share_of_innocents_among_the_alarmed() -> None:
    assert discovery.expected_share(6, 60, 0.001) == pytest.approx(0.01)
    assert discovery.expected_share(0, 60, 0.001) == 0
    assert discovery.expected_share(1, 5000, 0.001) == 1


# ---------------------------------------------------------------- collusion


def crowd(seed: int, ring: tuple[str, ...], tasks: int = 200, judges: int = 12) -> list[Answered]:
    """Tasks of all degrees of difficulty judged by 12 of 30; the ring agrees on an answer beforehand."""
    draw = random.Random(seed)
    names = [f"w{n:02d}" for n in range(30)]
    found = []
    for _ in range(tasks):
        easy = draw.betavariate(6, 2)
        shared: Choice = "a" if draw.random() < 0.7 else "b"
        said: dict[str, Choice] = {
            who: shared if who in ring else ("a" if draw.random() < easy else "b") for who in draw.sample(names, judges)
        }
        found.append(Answered(answer="a", choices=said))
    return found


def members(tasks: list[Answered]) -> list[tuple[str, ...]]:
    return [tuple(one.annotator for one in ring) for ring in collusion.rings(tasks, 0.05)]


def test_a_ring_is_found_whole() -> None:
    ring = ("w03", "w11", "w20")
    assert members(crowd(1, ring)) == [ring]


def test_a_ring_is_found_whose_pairs_share_few_tasks() -> None:
    """Five judges of thirty: a pair meets on nine of 480 tasks, too few to tell; six people together do."""
    ring = ("w03", "w07", "w11", "w13", "w20", "w28")
    tasks = crowd(1, ring, tasks=480, judges=5)
    assert members(tasks) == [ring]
    found = collusion.pairs(collusion.judged_of(tasks))
    assert accused_pairs(found) == []


def accused_pairs(found: collusion.Found) -> list[int]:
    return discovery.accused(dict(enumerate(found.evidence.tolist())), 0.05)


def test_a_member_is_told_what_is_common() -> None:
    (ring,) = collusion.rings(crowd(1, ("w03", "w11", "w20")), 0.05)
    for one in ring:
        assert one.shared > one.together > 1.5 * one.expected > 0
        assert one.evidence > 1000


@pytest.mark.parametrize("judges", [3, 5, 12])
def test_hard_tasks_make_nobody_guilty(judges: int) -> None:
    """Forty honest crowds, some texts misleading nearly everybody: false discoveries in at most one crowd of twenty."""
    crowds = [crowd(seed, (), tasks=1500 // judges, judges=judges) for seed in range(40)]
    assert sum(bool(collusion.rings(tasks, 0.05)) for tasks in crowds) <= 2


def skilled(seed: int, judges: int) -> list[Answered]:
    """Forty honest people of varying skill, some much busier than others; the answer is the likelier one, as weighed by
    their skill, so that the better ones decide it and the weaker ones are wrong together."""
    draw = random.Random(seed)
    skill = {f"w{n:02d}": draw.gauss(1.3, 0.7) for n in range(40)}
    pace = {who: draw.lognormvariate(0, 1) for who in skill}
    found = []
    for _ in range(4000 // judges):
        difficulty = draw.gauss(0, 2)
        met = sorted(skill, key=lambda who: draw.expovariate(pace[who]))[:judges]
        is_right = {who: draw.random() < 1 / (1 + math.exp(difficulty - skill[who])) for who in met}
        likelier = sum(skill[who] if right else -skill[who] for who, right in is_right.items()) >= 0
        said: dict[str, Choice] = {who: "a" if right == likelier else "b" for who, right in is_right.items()}
        found.append(Answered(answer="a", choices=said))
    return found


@pytest.mark.parametrize("judges", [3, 12])
def test_neither_the_skilled_nor_the_weak_are_a_ring(judges: int) -> None:
    """Twenty honest crowds: a ring in at most one."""
    assert sum(bool(collusion.rings(skilled(seed, judges), 0.05)) for seed in range(20)) <= 1


def test_evidence_against_the_honest_is_seldom_large() -> None:
    """Markov: an e-value is 10 or more with a probability of at most a tenth."""
    large = people = 0
    for seed in range(6):
        judged = collusion.judged_of(crowd(seed, (), tasks=300, judges=5))
        found = collusion.pairs(judged)
        for x in range(len(judged.names)):
            large += collusion.against(judged, found, collusion.grown(judged, found, np.array([x])))[x] >= 10
            people += 1
    assert large <= 0.1 * people


def test_who_is_suspected_besides_somebody_is_found_without_them() -> None:
    judged = collusion.judged_of(crowd(1, ("w03", "w11", "w20")))
    found, x = collusion.pairs(judged), judged.names.index("w03")
    apart = (found.one != x) & (found.other != x)
    without = collusion.Found(one=found.one[apart], other=found.other[apart], evidence=found.evidence[apart])
    suspects = collusion.grown(judged, found, np.array([x]))
    assert suspects[x] == 0
    assert suspects.tolist() == collusion.grown(judged, without, np.array([x])).tolist()
    assert suspects[judged.names.index("w11")] > 0.5


def test_agreeing_on_what_is_right_proves_nothing() -> None:
    same = [Answered(answer="a", choices={f"w{n}": "a" for n in range(8)})] * 50
    assert collusion.rings(same, 0.05) == []
    assert collusion.rings([], 0.05) == []


def test_rings_join_pairs_that_share_a_member() -> None:
    assert sorted(collusion.joined([(1, 2), (3, 4), (2, 3), (8, 9)])) == [(1, 2, 3, 4), (8, 9)]


# ---------------------------------------------------------------- copied reasons

WORDS = [f"word{n}" for n in range(18)]


def reason(draw: random.Random) -> str:
    return reasons.sketch(" ".join(draw.choices(WORDS, k=14)))


def test_copies_are_found_and_like_minds_are_not() -> None:
    draw = random.Random(4)
    tasks = []
    for _ in range(8):
        given_ = {f"w{n}": reason(draw) for n in range(6)}
        given_["thief"] = given_["w2"]
        tasks.append(given_)
    found = copying.pairs(tasks)
    assert discovery.accused({pair: one.evidence for pair, one in found.items()}, 0.05) == [("thief", "w2")]
    assert found["thief", "w2"].alike == 8


# ---------------------------------------------------------------- bursts


def people(seed: int, sybils: int, dissent: float) -> list[Newcomer]:
    """Fifty newcomers over 30 days, and some within ten minutes."""
    draw = random.Random(seed)

    def one(name: str, at: int, rate: float) -> Newcomer:
        return Newcomer(annotator=name, at=at, compared=60, dissents=sum(draw.random() < rate for _ in range(60)))

    month = 30 * 24 * HOUR_MS
    usual = [one(f"w{n:02d}", draw.randrange(month), 0.2) for n in range(50)]
    return usual + [one(f"s{n}", month // 2 + n * 30_000, dissent) for n in range(sybils)]


def test_a_burst_of_bad_newcomers_is_found() -> None:
    burst = bursts.find(people(1, 6, 0.5))
    assert burst is not None
    assert {f"s{n}" for n in range(6)} <= set(burst.members)
    assert len(burst.members) <= 7
    assert burst.chance < 1e-3
    assert burst.dissent > 0.4 > burst.usual_dissent
    assert bursts.by_annotator(burst)["newcomers"] == len(burst.members)


def test_a_team_that_was_hired_is_no_burst() -> None:
    assert bursts.find(people(1, 6, 0.2)) is None


def test_usual_arrivals_make_no_burst() -> None:
    assert [seed for seed in range(60) if bursts.find(people(seed, 0, 0.2))] == []
    assert bursts.find([]) is None


@given(st.integers(0, 40), st.floats(0.01, 30))
def test_poisson_tail(k: int, mean: float) -> None:
    found, truth = bursts.poisson_tail(k, mean), stats.poisson.sf(k, mean)
    assert found == pytest.approx(truth, rel=1e-6, abs=1e-12) or found >= truth  # far out it is Chernoff's bound


def test_excess_is_the_pooled_test_of_two_proportions() -> None:
    assert bursts.excess((30, 60), (100, 500)) < 1e-6
    assert bursts.excess((12, 60), (100, 500)) == pytest.approx(0.5)
    assert bursts.excess((0, 60), (0, 500)) == 1
