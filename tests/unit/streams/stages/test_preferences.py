from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import (
    Agreement,
    Assessment,
    Candidate,
    Choice,
    Event,
    Preference,
    Reliability,
    Response,
    Retraction,
    Task,
    TaskUpdate,
)
from streams.stages.preferences import ADJUDICATOR_RIGHT, State, step


def task(**fields: Any) -> Task:
    sides = [Candidate(output="o", position=i, response=Response(digest=str(i), length=9)) for i in range(2)]
    fields = {"target_posterior": 0.95, **fields}  # three like-minded votes of accuracy 0.8
    return Task(id="t", task="t", a=sides[0], b=sides[1], prompt_digest="p", prompt_length=1, **fields)


def says(who: str, choice: Choice = "a", accuracy: float = 0.8, revision: int = 1, **fields: Any) -> Assessment:
    known = Reliability(
        accuracy=accuracy,
        accuracy_low=0,
        accuracy_high=1,
        side_bias=0,
        tie_rate=fields.pop("tie_rate", 0.1),
        judgments=9,
        evidence=9,
    )
    name = f"{who}.{revision}"
    fields = {"swapped": False, **fields}
    return Assessment(
        id=f"s{name}",
        judgment=name,
        task="t",
        annotator=who,
        revision=revision,
        choice=choice,
        reliability=known,
        **fields,
    )


def takes_back(judgment: str, withdrawn: bool = True) -> Retraction:
    return Retraction(judgment=judgment, task="t", annotator=judgment[0], withdrawn=withdrawn, standing="s")


def run(events: list[Event]) -> tuple[State, list[Any]]:
    state, said = None, []
    for event in events:
        state, outputs = step(state, event)
        said += outputs
    assert state is not None
    return state, said


def preferences(events: list[Event]) -> list[Preference]:
    return [event for event in run(events)[1] if isinstance(event, Preference)]


@pytest.mark.parametrize(("mode", "is_believed_against"), [("live", False), ("recorded", True)])
def test_who_answers_against_the_truth_is_read_the_other_way_on_a_record_alone(
    mode: str, is_believed_against: bool
) -> None:
    asked = task(mode=mode, target_posterior=0.0, min_judgments=2)
    found = preferences([asked, says("liar", "a", 0.1), says("honest", "b", 0.6)])[-1]
    without = preferences([asked, says("coin", "a", 0.5), says("honest", "b", 0.6)])[-1]
    assert (found.p_b > without.p_b + 0.1) is is_believed_against
    assert is_believed_against or found.p_b == pytest.approx(without.p_b)


def updates(events: list[Event]) -> list[tuple[str, int]]:
    return [(event.status, event.slots_wanted) for event in run(events)[1] if isinstance(event, TaskUpdate)]


def agreements(events: list[Event]) -> list[Agreement]:
    return [event for event in run(events)[1] if isinstance(event, Agreement)]


# ---------------------------------------------------------------- when a task is done


def test_it_closes_when_the_posterior_reaches_the_target() -> None:
    events = [task(), says("w"), says("x")]
    (preference,) = preferences([*events, says("y")])
    assert updates(events) == []
    assert updates([*events, says("y")]) == [("closed", 3)]
    assert (preference.verdict, preference.reached, preference.revision) == ("a", "target", 1)
    assert preference.judgments == ("w.1", "x.1", "y.1")
    assert preference.p_a > 0.9
    assert preference.p_a + preference.p_b + preference.p_tie == pytest.approx(1)


def test_it_closes_early_for_the_reliable_but_never_below_the_minimum() -> None:
    assert updates([task(target_posterior=0.8), says("w", accuracy=0.97)]) == [("closed", 1)]
    events = [task(target_posterior=0.8, min_judgments=2), says("w", accuracy=0.97), says("x", accuracy=0.97)]
    assert updates(events[:2]) == []
    assert updates(events) == [("closed", 2)]


def test_undecided_it_asks_one_more_up_to_the_cap_and_then_escalates() -> None:
    votes = [says(who, "ab"[n % 2]) for n, who in enumerate("uvwx")]  # type: ignore[arg-type]
    events: list[Event] = [task(overlap=2, overlap_cap=4), *votes]
    assert updates(events) == [("open", 3), ("open", 4), ("escalated", 4)]
    assert preferences(events) == []


def test_an_adjudicator_decides() -> None:
    events = [task(overlap=2, overlap_cap=2), says("w", "a"), says("x", "b"), says("z", "b", role="adjudicator")]
    (preference,) = preferences(events)
    assert (preference.verdict, preference.reached, preference.p_b) == ("b", "adjudicated", ADJUDICATOR_RIGHT)
    assert preference.p_a + preference.p_b + preference.p_tie == pytest.approx(1)
    assert "z.1" in preference.judgments
    assert updates(events)[-1] == ("closed", 2)


def test_an_adjudicators_word_withdrawn_escalates_again() -> None:
    events = [task(overlap=2, overlap_cap=2), says("w", "a"), says("x", "b"), says("z", "b", role="adjudicator")]
    assert preferences([*events, takes_back("z.1")])[-1].verdict is None
    assert updates([*events, takes_back("z.1")])[-1] == ("escalated", 2)


def test_a_critical_flag_is_not_averaged_away_where_there_is_zero_tolerance() -> None:
    votes = [says(who) for who in "vwx"]
    flagged = says("y", flags=("critical",))
    assert preferences([task(zero_tolerance=False), *votes, flagged])[-1].verdict == "a"
    events: list[Event] = [task(zero_tolerance=True), flagged, *votes]
    assert preferences(events) == []
    assert updates(events)[0] == ("escalated", 1)
    assert preferences([*events, says("z", "b", role="adjudicator")])[-1].verdict == "b"


def test_a_veto_after_the_close_takes_the_preference_back() -> None:
    events = [task(zero_tolerance=True), *[says(who) for who in "vwx"], says("y", flags=("critical",))]
    assert [preference.verdict for preference in preferences(events)] == ["a", None]
    assert any(isinstance(e, TaskUpdate) and e.vetoed for e in run(events)[1])


@pytest.mark.parametrize("fields", [{"weight": 0.0}, {"late": True}])
def test_a_flag_of_somebody_who_does_not_count_is_no_veto(fields: dict[str, Any]) -> None:
    assert updates([task(zero_tolerance=True), says("y", flags=("critical",), **fields)]) in ([], [("open", 4)])


def test_late_and_weightless_judgments_do_not_count() -> None:
    events = [task(), says("w"), says("x"), says("y", late=True), says("z", weight=0.0)]
    assert preferences(events) == []
    assert updates(events) == [("open", 4)]  # the weightless one sits in a slot; the late one has none


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_one_judgment_that_does_not_count_asks_for_one_more_whatever_befell_it(weight: float) -> None:
    events = [task(), says("w"), says("x"), says("y", weight=weight), takes_back("y.1")]
    assert updates(events)[-1] == ("open", 4)


def test_judgments_in_flight_at_the_close_count_and_revise() -> None:
    events = [task(), says("w"), says("x"), says("y"), says("z")]
    assert [preference.revision for preference in preferences(events)] == [1, 2]
    assert preferences(events)[-1].p_a > preferences(events)[0].p_a


def test_a_late_dissent_reopens() -> None:
    events = [task(target_posterior=0.8), says("w"), says("x"), says("y", "b"), says("z", "b")]
    assert updates(events) == [("closed", 2), ("open", 4), ("open", 5)]
    assert preferences(events)[-1].verdict is None


# ---------------------------------------------------------------- recorded and gold


def test_recorded_there_is_no_stop_and_no_cap() -> None:
    events = [task(mode="recorded", overlap=3, overlap_cap=3, min_judgments=2), *[says(who) for who in "stuvwxyz"]]
    found = preferences(events)
    assert [len(preference.judgments) for preference in found] == [2, 3, 4, 5, 6, 7, 8]
    assert {preference.reached for preference in found} == {"recorded"}
    assert updates(events) == []


def test_gold_makes_a_preference_apart_and_no_updates() -> None:
    events = [task(gold="b"), *[says(who) for who in "wxyz"]]
    assert {preference.gold for preference in preferences(events)} == {True}
    assert updates(events) == []
    assert {agreement.gold for agreement in agreements(events)} == {"b"}


def test_gold_seen_by_everybody_stays_bounded() -> None:
    state, _ = run([task(gold="b", overlap_cap=5), *[says(f"w{n}") for n in range(50)]])
    assert len(state.votes) == 5


# ---------------------------------------------------------------- what the others made of it


def test_each_counted_judgment_hears_the_others_as_soon_as_there_are_any() -> None:
    """An open task teaches too: those that close first are those on which people agreed."""
    waiting = [task(min_judgments=3), says("w"), says("x", "b")]
    assert updates(waiting)[-1:] in ([], [("open", 3)])
    assert {agreement.annotator for agreement in agreements(waiting)} == {"w", "x"}
    heard = {agreement.annotator: agreement for agreement in agreements([task(), says("w"), says("x"), says("y")])}
    assert set(heard) == {"w", "x", "y"}
    alone = preferences([task(target_posterior=0.5, min_judgments=2), says("x"), says("y")])[0]
    assert heard["w"].others == pytest.approx((alone.p_a, alone.p_b, alone.p_tie))
    assert heard["w"].others_count == 2
    assert heard["w"].probability == pytest.approx(alone.p_a)


def test_alone_nobody_hears_anything() -> None:
    assert agreements([task(target_posterior=0.8), says("w", accuracy=0.97)]) == []


def test_a_revised_result_tells_what_was_told_before() -> None:
    events = [task(target_posterior=0.8), says("w"), says("x"), says("y", accuracy=0.95)]
    first, *_ = [agreement for agreement in agreements(events[:3]) if agreement.annotator == "w"]
    again = [agreement for agreement in agreements(events)[2:] if agreement.annotator == "w"]
    assert [agreement.previous for agreement in again] == [first.others]
    assert again[0].others[0] > first.others[0]


# ---------------------------------------------------------------- retractions and revisions


def test_a_retraction_reopens_and_a_restoration_runs_it_backwards() -> None:
    events = [task(), says("w"), says("x"), says("y")]
    gone, back = takes_back("y.1"), takes_back("y.1", withdrawn=False)
    found = preferences([*events, gone, back])
    assert [(p.verdict, p.reached, p.revision) for p in found] == [
        ("a", "target", 1),
        (None, "withdrawn", 2),
        ("a", "target", 3),
    ]
    assert (found[0].p_a, found[0].judgments) == (found[2].p_a, found[2].judgments)
    assert updates([*events, gone]) == [("closed", 3), ("open", 4)]
    assert updates([*events, gone, back])[-1] == ("closed", 3)


def test_a_retracted_judgments_agreement_is_withdrawn() -> None:
    events = [task(), says("w"), says("x"), says("y")]
    (void,) = [agreement for agreement in agreements([*events, takes_back("y.1")]) if agreement.withdrawn]
    assert (void.judgment, void.previous) == ("y.1", agreements(events)[2].others)


def test_what_is_told_anew_after_a_restoration_or_a_revision_says_so() -> None:
    """Tests bet on a judgment once, however often it is taken back and restored."""
    events = [task(), says("w"), says("x"), says("y")]
    restored = agreements([*events, takes_back("y.1"), takes_back("y.1", withdrawn=False)])
    assert [one.again for one in restored if one.judgment == "y.1" and not one.withdrawn] == [False, True]
    revised = agreements([*events, says("y", "a", revision=2)])
    assert [one.again for one in revised if one.judgment == "y.2"] == [True]


def test_a_retraction_before_its_assessment_holds() -> None:
    assert preferences([task(), takes_back("y.1"), says("w"), says("x"), says("y")]) == []


def test_a_revision_takes_the_place_of_the_former() -> None:
    events = [task(), says("w", "b"), says("w", "a", revision=2), says("x"), says("y")]
    assert preferences(events)[-1].judgments == ("w.2", "x.1", "y.1")
    assert preferences([*events, says("w", "b")])[-1].judgments == ("w.2", "x.1", "y.1")


def test_a_revision_after_the_close_voids_what_the_former_heard() -> None:
    events = [task(), says("w"), says("x"), says("y"), says("y", "b", revision=2)]
    (void,) = [agreement for agreement in agreements(events) if agreement.withdrawn]
    assert (void.judgment, void.choice) == ("y.1", "a")


# ---------------------------------------------------------------- order and repetition

choices: st.SearchStrategy[Choice] = st.sampled_from(("a", "b", "tie"))
votes = st.lists(
    st.builds(
        says,
        st.sampled_from("uvwxy"),
        choices,
        accuracy=st.floats(0.3, 0.97),
        revision=st.integers(1, 2),
        weight=st.sampled_from((0.0, 0.5, 1.0)),
        late=st.booleans(),
        role=st.sampled_from(("annotator", "annotator", "adjudicator")),
        flags=st.sampled_from(((), (), ("critical",))),
    ),
    max_size=7,
)
tasks = st.builds(
    task,
    mode=st.sampled_from(("live", "recorded")),
    zero_tolerance=st.booleans(),
    min_judgments=st.integers(1, 3),
    overlap=st.integers(1, 4),
    overlap_cap=st.integers(1, 5),
    target_posterior=st.floats(0.6, 0.95),
)


def outcome(state: State) -> tuple[Any, ...]:
    belief = state.said.belief if state.said.verdict else None
    return state.said.verdict, state.said.status, state.said.slots_wanted, belief, state.said.judgments


@given(task=tasks, votes=votes, gone=st.lists(st.sampled_from([f"{w}.{r}" for w in "uvwxy" for r in (1, 2)])))
def test_the_order_between_topics_does_not_matter(task: Task, votes: list[Assessment], gone: list[str]) -> None:
    retractions = [takes_back(judgment) for judgment in gone]
    usual, _ = run([task, *votes, *retractions])
    odd, _ = run([*retractions, *votes, task])
    mixed, _ = run([*itertools.chain.from_iterable(itertools.zip_longest(votes, retractions, fillvalue=task)), task])
    assert outcome(usual) == outcome(odd) == outcome(mixed)


@given(task=tasks, votes=votes)
def test_nothing_is_said_twice(task: Task, votes: list[Assessment]) -> None:
    once, said = run([task, *votes])
    assert run([task, *votes, task, *votes]) == (once, said)


@given(task=tasks, votes=votes)
def test_the_quota_is_kept_and_revisions_count_up(task: Task, votes: list[Assessment]) -> None:
    said = run([task, *votes])[1]
    weightless = len({vote.annotator for vote in votes if vote.weight == 0})
    cap = max(task.overlap_cap, task.min_judgments)
    for update in (event for event in said if isinstance(event, TaskUpdate)):
        if update.status == "open":
            assert update.judgments < update.slots_wanted <= cap + weightless
    revisions = [event.revision for event in said if isinstance(event, Preference)]
    assert revisions == list(range(1, len(revisions) + 1))


@given(task=tasks, votes=votes)
def test_a_vetoed_task_has_no_verdict_before_an_adjudicator(task: Task, votes: list[Assessment]) -> None:
    state, _ = run([task, *votes])
    if state.said.vetoed:
        assert state.said.verdict is None
