"""Every stage of a topology over dictionaries: the very same steps, without a log and without a disk.

For what has no need to survive: simulations, benchmarks, files that are looked at once. What is pushed is applied
with all that follows from it before `push` returns, in the order in which it arose, so a run is repeated exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from msgspec.structs import force_setattr

from streams.events import Event
from streams.topology import TOPOLOGY, Step, Topology

Apply = tuple[Step, Callable[[Any], str], dict[str, Any]]  # step, key, states


class InMemoryLoop:
    """`listen` is called with every event, pushed or derived, before the stages apply it."""

    def __init__(self, listen: Callable[[Event], object] = lambda _: None, topology: Topology = TOPOLOGY) -> None:
        self.states: dict[str, dict[str, Any]] = {name: {} for name in topology.stages}
        self._listen = listen
        self._numbers = count()
        self._applies: dict[type[Event], list[Apply]] = {topic.event: [] for topic in topology.topics.values()}
        for stage in topology.stages.values():
            for name in stage.inputs:
                topic = topology.topics[name]
                self._applies[topic.event].append((stage.step, topic.key, self.states[stage.name]))

    def push(self, event: Event) -> None:
        """Applies the event and all that follows from it; one without an id is given one. Errors of steps go on."""
        waiting = [event]
        for event in waiting:  # grows while it is walked
            if not event.id:  # nobody else has seen it yet, so it may still be completed
                force_setattr(event, "id", f"memory-{next(self._numbers)}")
            self._listen(event)
            for step, key_of, states in self._applies[type(event)]:
                key = key_of(event)
                state, said = step(states.get(key), event)
                if state is None:
                    states.pop(key, None)
                else:
                    states[key] = state
                waiting += said
