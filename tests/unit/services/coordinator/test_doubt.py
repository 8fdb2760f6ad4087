from __future__ import annotations

from services.coordinator.doubt import Doubt, difference, doubts_of, said
from streams import events as e

MODELS = [("m1", "b1", ""), ("m2", "b2", "m1"), ("m3", "b3", "m2"), ("other", "b4", "")]


def test_a_model_is_in_doubt_by_its_own_pairs_and_by_what_it_was_trained_from() -> None:
    found = doubts_of(MODELS, {"b1": 3, "b3": 1}, {"b1": 30, "b2": 20, "b3": 10})
    assert found == {
        "m1": Doubt(pairs=3, size=30),
        "m2": Doubt(pairs=0, size=20, inherited_from=("m1",)),
        "m3": Doubt(pairs=1, size=10, inherited_from=("m1",)),
    }


def test_without_doubt_nobody_is_named_and_cyclic_parents_end() -> None:
    assert doubts_of(MODELS, {}, {}) == {}
    looped = doubts_of([("m1", "b", "m2"), ("m2", "x", "m1")], {"b": 1}, {"b": 2, "x": 2})
    assert looped["m2"].inherited_from == ("m1",)
    assert looped["m1"].pairs == 1


def preference(revision: int, verdict: e.Choice | None, p_a: float) -> e.Preference:
    a, b = (e.Candidate(output="o", position=i, response=e.Response(digest=str(i), length=1)) for i in (0, 1))
    return e.Preference(
        task="t", revision=revision, verdict=verdict, p_a=p_a, p_b=1 - p_a, p_tie=0.0, reached="target", a=a, b=b,
        prompt_digest="p",
    )  # fmt: skip


def test_a_member_is_gone_turned_or_moved() -> None:
    cut = preference(1, "a", 0.9)
    changes = [difference(cut, now).change for now in (preference(2, None, 0.5), preference(2, "b", 0.2))]
    assert changes == ["gone", "turned"]
    assert difference(cut, preference(2, "a", 0.85)).change == "moved"


def test_a_restored_member_says_what_it_said() -> None:
    assert said(preference(1, "a", 0.9)) == said(preference(3, "a", 0.9 + 1e-12))
