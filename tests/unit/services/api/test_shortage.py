from __future__ import annotations

import pytest

from services.api.shortage import Reason, reason
from streams.quality.routing import Grade


@pytest.mark.parametrize(
    ("is_open", "grade", "said"),
    [
        (False, "usual", "done"),
        (False, "seldom", "done"),
        (True, None, "others"),
        (True, "usual", "others"),
        (True, "seldom", "slower"),
    ],
)
def test_why_there_is_no_task(is_open: bool, grade: Grade | None, said: Reason) -> None:
    assert reason(is_open, grade) == said
