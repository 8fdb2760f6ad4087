"""One battery over every stage of the topology: what each step must keep, whatever it decides."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import events as e
from streams.quality.reliability import PRIOR
from streams.topology import TOPOLOGY, Stage

Choices = st.sampled_from(("a", "b", "tie"))
NAMES = ("u", "v", "w")
TASKS = ("t0", "t1")
TIMES = st.integers(0, 10**6)
posteriors = st.sampled_from(((0.9, 0.05, 0.05), (0.1, 0.8, 0.1), (0.4, 0.4, 0.2)))


def built(kind: type[e.Event], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Events of that type; `occurred_at` is drawn too."""
    return st.builds(kind, **({"occurred_at": TIMES} | fields))


responses = st.builds(e.Response, digest=st.sampled_from("def"), length=st.integers(0, 500))
outputs = built(
    e.Output,
    output=st.sampled_from("opq"),
    prompt_digest=st.sampled_from("xy"),
    prompt_length=st.just(5),
    responses=st.lists(responses, min_size=1, max_size=3).map(tuple),
    sampled=st.booleans(),
    gold=st.none() | Choices,
)
candidates = st.builds(e.Candidate, output=st.sampled_from("opq"), position=st.just(0), response=responses)
EVENTS: dict[str, st.SearchStrategy[Any]] = {
    "outputs": outputs,
    "singles": built(e.Single, prompt_digest=st.sampled_from("xy"), candidate=candidates, source=outputs),
    "tasks": built(
        e.Task,
        task=st.sampled_from(TASKS),
        a=candidates,
        b=candidates,
        prompt_digest=st.just("x"),
        prompt_length=st.just(5),
        overlap=st.integers(1, 3),
        overlap_cap=st.integers(1, 4),
        min_judgments=st.integers(1, 2),
        mode=st.sampled_from(("live", "recorded")),
        zero_tolerance=st.booleans(),
        gold=st.none() | Choices,
    ),
    "judgments": built(
        e.Judgment,
        judgment=st.sampled_from("jkl"),
        task=st.sampled_from([f"t{n}" for n in range(30)]),
        annotator=st.sampled_from(NAMES),
        revision=st.integers(1, 3),
        choice=Choices,
        swapped=st.booleans(),
        shown_at=TIMES,
        answered_at=TIMES,
        gold=st.none() | Choices,
        length_a=st.integers(0, 2000),
        mode=st.sampled_from(("live", "recorded")),
    ),
    "assessments": built(
        e.Assessment,
        judgment=st.sampled_from("jklm"),
        task=st.sampled_from(TASKS),
        annotator=st.sampled_from("uvwx"),
        revision=st.integers(1, 3),
        choice=Choices,
        swapped=st.booleans(),
        role=st.sampled_from(("annotator", "annotator", "adjudicator")),
        flags=st.sampled_from(((), ("critical",))),
        weight=st.sampled_from((0.0, 0.5, 1.0)),
        late=st.booleans(),
        reliability=st.builds(
            e.Reliability,
            accuracy=st.floats(0.02, 0.98),
            accuracy_low=st.just(0.0),
            accuracy_high=st.just(1.0),
            side_bias=st.floats(-0.5, 0.5),
            tie_rate=st.floats(0, 1),
            judgments=st.just(1),
            evidence=st.just(1.0),
        ),
    ),
    "agreements": built(
        e.Agreement,
        judgment=st.sampled_from("jkl"),
        task=st.sampled_from(TASKS),
        annotator=st.sampled_from(NAMES),
        choice=Choices,
        swapped=st.booleans(),
        probability=st.just(0.5),
        others=posteriors,
        others_count=st.just(2),
        previous=st.none() | posteriors,
        withdrawn=st.booleans(),
        gold=st.none() | Choices,
        answered_at=TIMES,
    ),
    "standings": built(
        e.Standing,
        annotator=st.sampled_from(NAMES),
        standing=st.sampled_from(("active", "weighted", "suspended")),
        weight=st.sampled_from((0.5, 1.0)),
        by=st.sampled_from(("key:lead", "stage:assessments")),
        enforced=st.booleans(),
    ),
    "priors": built(
        e.Prior,
        annotator=st.sampled_from(NAMES),
        shares=st.sampled_from((PRIOR, tuple(reversed(PRIOR)))),
    ),
    "retractions": built(
        e.Retraction,
        judgment=st.sampled_from("jklm"),
        task=st.sampled_from(TASKS),
        annotator=st.sampled_from("uvwx"),
        withdrawn=st.booleans(),
        standing=st.just("s"),
    ),
}

every_stage = pytest.mark.parametrize("stage", TOPOLOGY.stages.values(), ids=lambda stage: stage.name)


def streams_of(stage: Stage) -> st.SearchStrategy[list[e.Event]]:
    """Streams of the stage's inputs, each event with an id of its own."""
    events = st.lists(st.one_of([EVENTS[topic] for topic in stage.inputs]), max_size=25)
    return events.map(lambda found: [msgspec.structs.replace(x, id=f"e{n}") for n, x in enumerate(found)])


def key_of(event: e.Event) -> str:
    return TOPOLOGY.by_event[type(event)].key(event)


def run(stage: Stage, events: list[e.Event], between: Callable[[Any], Any] = lambda state: state) -> tuple[Any, ...]:
    """Final states by key, and all outputs in order. `between` is what becomes of a state between two steps."""
    states: dict[str, Any] = defaultdict(lambda: None)
    said: list[e.Event] = []
    for event in events:
        state, outputs = stage.step(between(states[key_of(event)]), event)
        states[key_of(event)] = state
        said += outputs
    return {key: state for key, state in states.items() if state is not None}, said


def test_every_input_has_its_events_here() -> None:
    assert {topic for stage in TOPOLOGY.stages.values() for topic in stage.inputs} == set(EVENTS)


@every_stage
@given(data=st.data())
def test_state_survives_the_codec(stage: Stage, data: st.DataObject) -> None:
    def through_bytes(state: Any) -> Any:
        return None if state is None else msgspec.json.decode(msgspec.json.encode(state), type=stage.state)

    events = data.draw(streams_of(stage))
    assert run(stage, events, through_bytes) == run(stage, events)


@every_stage
@given(data=st.data())
def test_neither_state_nor_event_is_mutated(stage: Stage, data: st.DataObject) -> None:
    state: Any = None
    for event in data.draw(streams_of(stage)):
        before = copy.deepcopy((state, event))
        after, _ = stage.step(state, event)
        assert (state, event) == before
        state = after


@every_stage
@given(data=st.data())
def test_a_replay_is_deterministic(stage: Stage, data: st.DataObject) -> None:
    events = data.draw(streams_of(stage))
    assert run(stage, events) == run(stage, events)


@every_stage
@given(data=st.data())
def test_a_duplicate_changes_nothing(stage: Stage, data: st.DataObject) -> None:
    """Every event twice in a row: what at-least-once delivery does after a crash."""
    events = data.draw(streams_of(stage))
    assert run(stage, [event for event in events for _ in range(2)]) == run(stage, events)


@every_stage
@given(data=st.data())
def test_outputs_belong_to_the_stages_topics_and_carry_the_envelope(stage: Stage, data: st.DataObject) -> None:
    events = data.draw(streams_of(stage))
    state: dict[str, Any] = defaultdict(lambda: None)
    for event in events:
        state[key_of(event)], outputs = stage.step(state[key_of(event)], event)
        for output in outputs:
            assert TOPOLOGY.by_event[type(output)].name in stage.outputs
            assert output.actor == f"stage:{stage.name}"
            assert output.occurred_at == event.occurred_at
