from benchmarks.next_point import BEGUN, HONEST, campaign, compared, crowd
from streams.quality.intervals import Estimate


def test_the_crowd_is_honest_and_the_same_for_every_target() -> None:
    one, other = crowd(3), crowd(3)
    assert one.kind == ["honest"] * HONEST
    assert (one.accuracy, one.truth) == (other.accuracy, other.truth)


def test_what_was_bought_is_the_difference_of_two_campaigns() -> None:
    run, decided = campaign(3, BEGUN)
    assert sum(one.judgments for one in decided) <= run.judgments
    assert all(one.belief >= BEGUN for one in decided if one.target is not None)
    found = compared(3)
    assert 0 < found[0.9].bought < found[0.95].bought
    assert isinstance(found[0.95].foretold, Estimate)
    assert found[0.9].foretold.low < found[0.9].foretold.value < found[0.95].foretold.value
