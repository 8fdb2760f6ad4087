from streams.quality.ring import ENOUGH, Answered, may_hold_one


def test_one_busy_person_makes_no_ring() -> None:
    alone = [Answered(answer="a", choices={"ada": "b"})] * ENOUGH
    assert not may_hold_one(alone)
    assert not may_hold_one([*alone, *[Answered(answer="a", choices={"bo": "b"})] * (ENOUGH - 1)])
    assert may_hold_one([*alone, *[Answered(answer="a", choices={"bo": "b"})] * ENOUGH])
    assert not may_hold_one([])
