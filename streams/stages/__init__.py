"""The pure steps, one file an arrow: `step(state | None, event) -> (state | None, [events])`.

No clock, no randomness, no I/O: all of it arrives in the event. A step must be idempotent: the same event
applied twice changes nothing and emits nothing new that a receiver would count.
"""
