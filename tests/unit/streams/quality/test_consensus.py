import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import Choice
from streams.quality import consensus
from streams.quality.consensus import Opinion

opinions = st.lists(
    st.builds(
        Opinion,
        choice=st.sampled_from(("a", "b", "tie")),
        swapped=st.booleans(),
        weight=st.floats(0.01, 1),
        accuracy=st.floats(0.02, 0.98),
        side_bias=st.floats(-0.5, 0.5),
        tie_rate=st.floats(0, 1),
    ),
    min_size=1,
    max_size=12,
)


def says(choice: Choice, accuracy: float = 0.8, tie_rate: float = 0.1, **more: float) -> Opinion:
    return Opinion(
        choice=choice,
        swapped=bool(more.get("swapped", False)),
        weight=more.get("weight", 1.0),
        accuracy=accuracy,
        side_bias=more.get("side_bias", 0.0),
        tie_rate=tie_rate,
    )


@given(opinions=opinions)
def test_a_posterior_is_a_distribution(opinions: list[Opinion]) -> None:
    belief = consensus.posterior(opinions)
    assert sum(belief) == pytest.approx(1)
    assert min(belief) >= 0


@given(opinions=opinions)
def test_leaving_one_out_is_the_posterior_of_the_rest_under_the_same_prior(opinions: list[Opinion]) -> None:
    ties = consensus.prior_of_ties(opinions)
    told = [consensus.both(opinion, ties) for opinion in opinions]
    for at, others in enumerate(consensus.leave_one_out(opinions)):
        rest = consensus.marginal(consensus.combine(ties, told[:at] + told[at + 1 :]))
        assert others == pytest.approx(rest, abs=1e-6)


@given(opinions=opinions)
def test_the_canonical_sides_are_only_names(opinions: list[Opinion]) -> None:
    other: dict[Choice, Choice] = {"a": "b", "b": "a", "tie": "tie"}
    mirrored = [
        Opinion(
            choice=other[o.choice],
            swapped=not o.swapped,
            weight=o.weight,
            accuracy=o.accuracy,
            side_bias=o.side_bias,
            tie_rate=o.tie_rate,
        )
        for o in opinions
    ]
    a, b, tie = consensus.posterior(opinions)
    assert consensus.posterior(mirrored) == pytest.approx((b, a, tie))


def test_what_is_said_is_a_distribution_for_every_truth() -> None:
    for accuracy, tie_rate, bias in [(0.9, 0.3, 0.2), (0.6, 0.1, -0.3), (0.75, 0.5, 0.0)]:
        told = [consensus.both(says(choice, accuracy, tie_rate, side_bias=bias), 0.2) for choice in consensus.CHOICES]
        for truth in range(6):
            assert sum(said[truth] for said in told) == pytest.approx(1)


def test_accuracy_means_what_it_says() -> None:
    """Over both sides and decisive answers, P(right) is the accuracy."""
    for bias in (0.0, 0.3):
        shown = [consensus.likelihood(says("a", 0.8, side_bias=bias, swapped=swapped), 0.1, 0.6) for swapped in (0, 1)]
        wrong = [consensus.likelihood(says("b", 0.8, side_bias=bias, swapped=swapped), 0.1, 0.6) for swapped in (0, 1)]
        right = sum(said[0] for said in shown)
        assert right / (right + sum(said[0] for said in wrong)) == pytest.approx(0.8)


def test_the_reliable_outvote_the_many() -> None:
    belief = consensus.posterior([says("a", 0.97), says("b", 0.55), says("b", 0.55), says("b", 0.55)])
    assert consensus.verdict(belief)[0] == "a"


def test_a_coins_word_says_nothing() -> None:
    a, b, _ = consensus.posterior([says("a", 0.5)])
    assert a == pytest.approx(b)


@pytest.mark.parametrize("swapped", [False, True])
def test_who_answers_against_the_truth_is_read_the_other_way(swapped: bool) -> None:
    """Over hard and usual items, with a side bias: P(the other side is right) is what they are wrong."""
    told = [consensus.both(says(choice, 0.2, swapped=swapped), 0.1) for choice in consensus.CHOICES]
    for truth in range(6):
        assert sum(said[truth] for said in told) == pytest.approx(1)
    a, b, _ = consensus.posterior([says("a", 0.2, swapped=swapped, tie_rate=0.0)])
    mirrored, _, _ = consensus.posterior([says("b", 0.8, swapped=not swapped, tie_rate=0.0)])
    assert b == pytest.approx(1 - a, abs=0.02)
    assert a == pytest.approx(mirrored)


def test_a_one_siders_favourite_side_says_less() -> None:
    usual = consensus.posterior([says("a", 0.7, side_bias=0.4)])
    against = consensus.posterior([says("a", 0.7, side_bias=0.4, swapped=1)])
    assert usual[0] < against[0]


def test_ties_are_believed_from_those_who_seldom_say_them() -> None:
    often = consensus.posterior([says("tie", tie_rate=0.6), says("a", tie_rate=0.05)])
    seldom = consensus.posterior([says("tie", tie_rate=0.05), says("a", tie_rate=0.6)])
    assert seldom[2] > often[2]


def test_a_crowd_without_ties_finds_none() -> None:
    belief = consensus.posterior([says(choice, tie_rate=0.001) for choice in ("a", "b", "a", "b")])
    assert belief[2] < 0.05
    assert belief[0] == pytest.approx(belief[1])


def test_less_weight_is_less_say() -> None:
    assert consensus.posterior([says("a", weight=0.5)])[0] < consensus.posterior([says("a")])[0]


def test_of_the_tasks_believed_nine_in_ten_are_right() -> None:
    """Calibration where the model holds: simulated crowds, with hard items, ties and a side bias among them."""
    draw = random.Random(5)
    believed: list[tuple[float, bool]] = []
    for _ in range(4000):
        truth = draw.choices(range(3), (0.4, 0.4, 0.2))[0]
        state = truth + 3 * (draw.random() < consensus.HARD)
        told = []
        for _ in range(3):
            accuracy, bias, swapped = draw.choice((0.6, 0.75, 0.9)), draw.choice((0.0, 0.3)), draw.random() < 0.5
            seen = [
                consensus.both(says(c, accuracy, 0.2, side_bias=bias, swapped=swapped), 0.2)[state]
                for c in consensus.CHOICES
            ]
            choice = draw.choices(consensus.CHOICES, seen)[0]
            told.append(says(choice, accuracy, 0.2, side_bias=bias, swapped=swapped))
        verdict, probability = consensus.verdict(consensus.posterior(told))
        believed.append((probability, verdict == consensus.CHOICES[truth]))
    for low, high in [(0.5, 0.7), (0.7, 0.85), (0.85, 0.95), (0.95, 1.0)]:
        found = [pair for pair in believed if low <= pair[0] < high]
        mean = sum(probability for probability, _ in found) / len(found)
        assert sum(right for _, right in found) / len(found) == pytest.approx(mean, abs=0.05)


def test_one_witness_is_not_believed_more_than_three() -> None:
    assert consensus.posterior([says("a", 0.98)])[0] < 0.95
    assert consensus.posterior([says("a", 0.75)] * 3)[0] > 0.9


def test_thousands_of_votes_do_not_underflow() -> None:
    belief = consensus.posterior([says("a", 0.98)] * 3000 + [says("b", 0.98)] * 10)
    assert belief[0] == pytest.approx(1.0)
    assert all(others[0] == pytest.approx(1.0) for others in consensus.leave_one_out([says("a", 0.98)] * 3000))
