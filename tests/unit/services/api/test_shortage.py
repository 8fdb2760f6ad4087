from __future__ import annotations

import pytest

from services.api.shortage import Reason, reason


@pytest.mark.parametrize(
    ("is_open", "is_asked_seldom", "said"),
    [(False, False, "done"), (False, True, "done"), (True, False, "others"), (True, True, "slower")],
)
def test_why_there_is_no_task(is_open: bool, is_asked_seldom: bool, said: Reason) -> None:
    assert reason(is_open, is_asked_seldom) == said
