from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from streams.events import Agreement, Alert, Assessment, Choice, Event, Judgment, Standing
from streams.quality.alarms import LEVELS, evidence
from streams.stages import assessments
from streams.stages.assessments import MEMORY, State, step

SURE_A, SURE_B = (0.97, 0.02, 0.01), (0.02, 0.97, 0.01)


def judgment(n: int, choice: Choice = "a", **fields: Any) -> Judgment:
    revision = fields.get("revision", 1)
    fields = {"swapped": n % 3 == 0, **fields}
    return Judgment(
        id=f"j{n}.{revision}", judgment=f"j{n}.{revision}", task=f"t{n}", annotator="w", choice=choice, **fields
    )


def agreement(n: int, choice: Choice = "a", others: tuple[float, float, float] = SURE_A, **fields: Any) -> Agreement:
    name = fields.pop("id", f"g{n}")
    return Agreement(
        id=name,
        judgment=f"j{n}.1",
        task=f"t{n}",
        annotator="w",
        choice=choice,
        swapped=False,
        probability=0.5,
        others=others,
        others_count=2,
        **fields,
    )


def run(events: list[Event], state: State | None = None) -> tuple[State, list[Event]]:
    said: list[Event] = []
    for event in events:
        state, outputs = step(state, event)
        said += outputs
    assert state is not None
    return state, said


def only(kind: type[Event], events: list[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def accuracy_after(events: list[Event]) -> float:
    """What the next judgment would be scored with."""
    assessment = only(Assessment, run([*events, judgment(999)])[1])[-1]
    assert isinstance(assessment, Assessment)
    return assessment.reliability.accuracy


def test_a_judgment_is_scored_with_what_was_known_before_it() -> None:
    _, said = run([judgment(n, "b", gold="a") for n in range(3)])
    scores = [assessment.reliability.accuracy for assessment in only(Assessment, said)]
    assert scores[0] == pytest.approx(0.74, abs=0.005)
    assert scores == sorted(scores, reverse=True)
    assert [assessment.reliability.judgments for assessment in only(Assessment, said)] == [0, 1, 2]


def test_the_assessment_carries_the_judgment() -> None:
    event = judgment(1, "b", gold="a", flags=("critical",), answered_at=9, role="adjudicator", late=True, campaign="c")
    (said,) = run([event])[1]
    assert isinstance(said, Assessment)
    assert (said.judgment, said.task, said.choice, said.swapped) == ("j1.1", "t1", "b", False)
    assert (said.flags, said.role, said.late, said.gold, said.answered_at) == (
        ("critical",),
        "adjudicator",
        True,
        "a",
        9,
    )
    assert (said.campaign, said.actor, said.weight) == ("c", "stage:assessments", 1.0)
    assert [(check.name, check.passed) for check in said.checks] == [("gold", False)]


def test_the_same_judgment_twice_changes_nothing() -> None:
    events: list[Event] = [judgment(n, gold="a") for n in range(5)]
    once, _ = run(events)
    twice, said = run([*events, *events])
    assert twice == once
    assert len(said) == 5


def test_a_revision_takes_the_place_of_the_former() -> None:
    wrong, right = judgment(1, "b", gold="a"), judgment(1, "a", gold="a", revision=2)
    revised, said = run([wrong, right])
    plain, _ = run([judgment(1, "a", gold="a")])
    assert revised.grades.levels == pytest.approx(plain.grades.levels)
    assert (revised.grades.on_left, revised.grades.on_right) == (plain.grades.on_left, plain.grades.on_right)
    assert revised.judgments == 1
    assert [assessment.revision for assessment in only(Assessment, said)] == [1, 2]
    assert run([wrong, right, wrong])[1] == said  # the first comes again: too late


def test_a_revision_to_a_tie_moves_the_tie_rate() -> None:
    revised, _ = run([judgment(1, "a"), judgment(1, "tie", revision=2)])
    assert (revised.grades.ties, revised.grades.on_left, revised.grades.on_right) == (1, 0, 0)


def test_an_agreement_teaches_and_says_nothing() -> None:
    assert run([agreement(n) for n in range(5)])[1] == []
    assert accuracy_after([agreement(n) for n in range(20)]) > 0.85
    assert accuracy_after([agreement(n, "b") for n in range(20)]) < 0.4


def test_a_revised_agreement_replaces_what_the_former_taught() -> None:
    revised = run([agreement(1), agreement(1, id="g1.2", others=SURE_B, previous=SURE_A)])[0].grades
    plain = run([agreement(1, others=SURE_B)])[0].grades
    assert revised.levels == pytest.approx(plain.levels)


def test_a_withdrawn_agreement_is_forgotten() -> None:
    grades = run([agreement(1), agreement(1, id="g1.2", previous=SURE_A, withdrawn=True)])[0].grades
    assert (*grades.levels, grades.evidence) == pytest.approx((0,) * (len(grades.levels) + 1))


def test_a_restored_judgment_teaches_again_and_is_not_bet_on_again() -> None:
    first = run([agreement(1, "b")])[0]
    restored = run([agreement(1, "b"), agreement(1, "b", id="g1.2", again=True)])[0]
    assert restored.running == first.running
    assert restored.grades != first.grades


def test_a_revised_agreement_corrects_the_bet_and_is_no_new_one() -> None:
    revised = run([agreement(1, "b"), agreement(1, "b", id="g1.2", others=SURE_B, previous=SURE_A)])[0].running
    plain = run([agreement(1, "b", others=SURE_B)])[0].running
    assert revised.keys() == plain.keys() == {"accuracy", "change"}
    for name, test in plain.items():
        assert evidence(name, revised[name]) == pytest.approx(evidence(name, test))
        assert revised[name].steps == 1


def test_the_same_agreement_twice_teaches_once() -> None:
    assert run([agreement(1), agreement(1)])[0] == run([agreement(1)])[0]


def test_gold_teaches_once_though_agreements_come_for_it_too() -> None:
    assert accuracy_after([judgment(1, gold="a"), agreement(1, gold="a")]) == accuracy_after([judgment(1, gold="a")])


def alarms(events: list[Event]) -> list[tuple[str, str, bool]]:
    said = run(events)[1]
    names = {alert.alert: alert.hypothesis for alert in only(Alert, said)}
    return [(names[standing.alert], standing.standing, standing.enforced) for standing in only(Standing, said)]


HASTY: dict[str, Any] = {"length_a": 500, "length_b": 500, "shown_at": 1000, "answered_at": 2000}
BAD: dict[str, list[Event]] = {
    "speed": [judgment(n, "ab"[n * n % 7 % 2], swapped=n % 5 < 2, **HASTY) for n in range(60)],  # type: ignore[arg-type]
    "side": [judgment(n, "a" if n % 2 else "b", swapped=n % 2 == 0) for n in range(60)],
    "pattern": [judgment(n, "a" if n % 2 else "b", swapped=False) for n in range(60)],
    "gold": [judgment(n, "b", swapped=n * n % 7 % 2 == 0, gold="a" if n % 4 else "b") for n in range(60)],
    "reasons": [judgment(n, "ab"[n * n % 7 % 2], reason_length=90, reason_sketch="a" * 64) for n in range(40)],  # type: ignore[arg-type]
    "change": [agreement(n, "a" if n < 40 or n % 10 == 0 else "b") for n in range(100)],
}


@pytest.mark.parametrize("hypothesis", BAD)
def test_every_hypothesis_is_found_and_answered_by_degrees(hypothesis: str) -> None:
    found = alarms(BAD[hypothesis])
    if hypothesis == "side":  # the same side all the time is a pattern as well
        assert {name for name, _, _ in found} <= {"side", "pattern"}
    else:
        assert {name for name, _, _ in found} == {hypothesis}
    assert [standing for _, standing, _ in found] == ["weighted", "suspended"]


def test_an_alert_says_why_and_how_sure() -> None:
    alert, *_ = only(Alert, run(BAD["gold"])[1])
    assert alert.false_alarm_rate == LEVELS[0].rate
    assert alert.evidence["capital"] >= 1 / LEVELS[0].rate
    assert alert.judgment.startswith("j")
    assert alert.enforced


def test_an_alert_for_change_states_its_run_length_and_the_moment() -> None:
    good = [agreement(n, answered_at=n) for n in range(1, 101)]
    turned = [agreement(n, "a" if n % 5 == 0 else "b", answered_at=n) for n in range(101, 160)]
    alert, *_ = only(Alert, run([*good, *turned])[1])
    assert (alert.hypothesis, alert.evidence["average_run_length"], alert.false_alarm_rate) == ("change", 1000, 0)
    standing = only(Standing, run([*good, *turned])[1])[0]
    assert standing.reason.endswith("too seldom (one false alarm in 1,000 judgments or more)")
    assert abs(alert.since - 101) <= 3
    assert alert.judgment < "j125"


def test_somebody_who_turns_is_believed_less_at_once_and_again_when_they_turn_back() -> None:
    turns = [*["a"] * 200, *["b"] * 20, *["a"] * 40]
    state, accuracies = State(recorded=True), []  # nobody is suspended
    for n, choice in enumerate(turns):
        state = run([agreement(n, choice)], state)[0]  # type: ignore[arg-type]
        accuracies.append(assessments.known_of(state).accuracy)
    assert accuracies[199] > 0.9
    assert accuracies[219] < 0.4
    assert accuracies[259] > 0.8


def test_in_a_live_campaign_a_suspicion_is_left_to_the_alarms() -> None:
    turned = [agreement(n, "a" if n < 200 else "b") for n in range(206)]
    live, recorded = (run([*turned], State(recorded=recorded))[0] for recorded in (False, True))
    assert live.standing == "active"
    assert assessments.known_of(live).accuracy > assessments.known_of(recorded).accuracy + 0.02


def test_both_accuracy_tests_find_people_who_guess() -> None:
    found: set[str] = set()
    for seed in range(6):
        draw = random.Random(seed)
        said = run([agreement(n, draw.choice("ab")) for n in range(400)])[1]  # type: ignore[arg-type]
        assert only(Standing, said)[-1].standing == "suspended"
        found |= {alert.hypothesis for alert in only(Alert, said)}
    assert found == {"accuracy", "change"}


def test_the_suspended_weigh_nothing_and_the_weighted_half() -> None:
    state, said = run(BAD["gold"])
    assert (state.standing, state.weight) == ("suspended", 0.0)
    weights = [assessment.weight for assessment in only(Assessment, said)]
    assert sorted(set(weights)) == [0.0, 0.5, 1.0]
    assert weights == sorted(weights, reverse=True)


def test_haste_costs_weight_at_once() -> None:
    (said,) = run([judgment(1, **HASTY)])[1]
    assert isinstance(said, Assessment)
    assert said.weight == 0.5
    assert [(check.name, check.passed) for check in said.checks] == [("speed", False)]


@pytest.mark.parametrize("hypothesis", ["speed", "side", "pattern", "gold"])
def test_a_recorded_campaign_reports_and_enforces_nothing(hypothesis: str) -> None:
    events: list[Event] = [msgspec.structs.replace(event, mode="recorded") for event in BAD[hypothesis]]
    state, said = run(events)
    assert only(Alert, said)
    assert not any(event.enforced for event in [*only(Alert, said), *only(Standing, said)])
    assert {assessment.weight for assessment in only(Assessment, said)} == {1.0}
    assert state.standing == "active"


@pytest.mark.parametrize(("hypothesis", "enforced"), [("change", False), ("gold", True), ("side", True)])
def test_where_people_may_differ_disagreeing_is_no_fault(hypothesis: str, enforced: bool) -> None:
    """A campaign that wants the spread still suspends for what is wrong in any view."""
    events: list[Event] = [
        msgspec.structs.replace(event, spread=True) if isinstance(event, Judgment) else event
        for event in BAD[hypothesis]
    ]
    state, said = run([judgment(900, spread=True), *events])
    alarms = [alert for alert in only(Alert, said) if alert.hypothesis == hypothesis]
    assert alarms
    assert {alarm.enforced for alarm in alarms} == {enforced}
    assert (state.standing != "active") is enforced


def test_what_a_record_showed_is_not_held_against_the_living() -> None:
    events: list[Event] = [msgspec.structs.replace(event, mode="recorded") for event in BAD["gold"]]
    state, said = run([*events, judgment(500, "b", gold="a")])
    assert state.standing == "active"
    assert only(Assessment, said)[-1].weight == 1.0


def by_lead(standing: str, **fields: Any) -> Standing:
    return Standing(annotator="w", standing=standing, by="key:lead", **{"id": standing, **fields})  # type: ignore[arg-type]


def test_a_lead_suspends_and_reinstates() -> None:
    _, said = run([by_lead("suspended"), judgment(1), by_lead("active"), judgment(2)])
    assert [assessment.weight for assessment in only(Assessment, said)] == [0.0, 1.0]


def test_reinstated_the_tests_start_again() -> None:
    state, _ = run([*BAD["gold"], by_lead("active")])
    assert state.standing == "active"
    assert state.running == {}
    again = run([judgment(n, "b", gold="a") for n in range(200, 203)], state)[1]
    assert only(Alert, again) == []


def test_the_stages_own_standing_comes_back_and_changes_nothing() -> None:
    state, said = run(BAD["gold"])
    assert run(only(Standing, said), state) == (state, [])


def test_an_old_reinstatement_that_comes_again_does_not_restart_the_tests() -> None:
    state, _ = run([by_lead("active"), *BAD["gold"]])
    assert run([by_lead("active")], state)[0] == state


def test_honest_annotators_are_left_alone() -> None:
    events: list[Event] = []
    for n in range(300):
        hashed = assessments.short(str(n))
        choice: Choice = "a" if hashed[0] < "8" else "b"
        gold: Choice = choice if hashed[1] < "e" else ("b" if choice == "a" else "a")
        events.append(
            judgment(n, choice, swapped=hashed[2] < "8", gold=gold, length_a=300, shown_at=1000, answered_at=9000)
        )
        events.append(agreement(n, choice, SURE_A if gold == "a" else SURE_B))
    assert alarms(events) == []


def test_the_state_stays_small() -> None:
    events: list[Event] = [event for n in range(5 * MEMORY) for event in (judgment(n, gold="a"), agreement(n))]
    state, _ = run(events)
    assert len(msgspec.json.encode(state)) < 5000
