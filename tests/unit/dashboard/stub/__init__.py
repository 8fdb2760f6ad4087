"""A service in the shape of docs/api.md, without a log behind it: numbers that move with the clock it is given.

`Stub.answer` serves tests through httpx.MockTransport; run as a script it listens on a port, to look at the pages:
`python -m tests.unit.dashboard.stub 8120 [--empty]` (keys: lead, engineer, admin, annotator).
"""

from __future__ import annotations

from tests.unit.dashboard.stub.service import Stub

__all__ = ["Stub"]
