from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams import events as e
from streams.stages import preferences
from streams.stages.outcome import outcome

CANDIDATES = tuple(
    e.Candidate(output="o", position=i, response=e.Response(digest=str(i), length=i + 4)) for i in (0, 1)
)
PEOPLE = ("ann", "bob", "cy", "dee")


@st.composite
def tasks(draw: st.DrawFn) -> e.Task:
    return e.Task(
        task="t",
        a=CANDIDATES[0],
        b=CANDIDATES[1],
        prompt_digest="p",
        prompt_length=3,
        overlap=draw(st.integers(1, 3)),
        overlap_cap=draw(st.integers(1, 4)),
        target_posterior=draw(st.floats(0.5, 0.99)),
        zero_tolerance=draw(st.booleans()),
        mode=draw(st.sampled_from(("live", "recorded"))),
        gold=draw(st.sampled_from((None, None, "a"))),
    )


@st.composite
def assessments(draw: st.DrawFn) -> e.Assessment:
    who, revision = draw(st.sampled_from(PEOPLE)), draw(st.integers(1, 3))
    known = e.Reliability(
        accuracy=draw(st.floats(0.5, 0.95)),
        accuracy_low=0.4,
        accuracy_high=0.97,
        side_bias=draw(st.floats(-0.4, 0.4)),
        tie_rate=0.1,
        judgments=9,
        evidence=9.0,
    )
    return e.Assessment(
        judgment=f"{who}{revision}",
        task="t",
        annotator=who,
        revision=revision,
        choice=draw(st.sampled_from(("a", "b", "tie"))),
        swapped=draw(st.booleans()),
        role=draw(st.sampled_from(("annotator", "annotator", "annotator", "adjudicator"))),
        flags=draw(st.sampled_from(((), (), ("critical",)))),
        reliability=known,
        weight=draw(st.sampled_from((1.0, 1.0, 0.5, 0.0))),
        late=draw(st.booleans()) and draw(st.booleans()),
    )


def retraction(judgment: str, *, withdrawn: bool) -> e.Retraction:
    return e.Retraction(judgment=judgment, task="t", annotator=judgment[:-1], withdrawn=withdrawn, standing="s")


@given(tasks(), st.lists(assessments(), max_size=7), st.data())
@settings(max_examples=200, deadline=None)
def test_the_outcome_is_what_the_stage_says(task: e.Task, judged: list[e.Assessment], data: st.DataObject) -> None:
    ids = sorted({one.judgment for one in judged})
    withdrawn = set(data.draw(st.lists(st.sampled_from(ids), unique=True))) if ids else set()
    state, _ = preferences.step(None, task)
    for event in [*judged, *(retraction(one, withdrawn=True) for one in sorted(withdrawn))]:
        state, _ = preferences.step(state, event)
    assert state is not None
    found = outcome(task, judged, withdrawn)
    assert found.verdict == state.said.verdict
    if found.verdict is not None:
        assert (found.belief, found.judgments) == (state.said.belief, state.said.judgments)
    if task.mode == "live" and task.gold is None:
        said = (state.said.status, state.said.slots_wanted, state.said.vetoed)
        assert (found.status, found.slots_wanted, found.vetoed) == said


@given(tasks(), st.lists(assessments(), min_size=1, max_size=7), st.data())
@settings(max_examples=100, deadline=None)
def test_taking_back_and_restoring_leaves_the_verdict_as_it_was(
    task: e.Task, judged: list[e.Assessment], data: st.DataObject
) -> None:
    state, _ = preferences.step(None, task)
    for event in judged:
        state, _ = preferences.step(state, event)
    assert state is not None
    before = state.said
    who = data.draw(st.sampled_from(PEOPLE))
    theirs = sorted({one.judgment for one in judged if one.annotator == who})
    for withdrawn in (True, False):
        for one in data.draw(st.permutations(theirs)):
            state, _ = preferences.step(state, retraction(one, withdrawn=withdrawn))
    assert state is not None
    after = state.said
    assert (after.verdict, after.status, after.slots_wanted) == (before.verdict, before.status, before.slots_wanted)
    if before.verdict is not None:
        assert (after.belief, after.judgments) == (before.belief, before.judgments)
