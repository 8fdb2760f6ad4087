"""What routing asks of people, in a small crowd."""

from __future__ import annotations

from benchmarks.crowds import Crowd
from benchmarks.routing import Visits, campaign
from streams.quality.routing import SELDOM


def test_requests_in_a_row_that_find_nothing_are_counted_until_one_finds_something() -> None:
    visits = Visits()
    for found in (True, False, False, True, False):
        visits.note("ada", found=found, is_seldom=False)
    assert (visits.waited, visits.requests, visits.until_last, visits.judged) == (2, 5, 4, {"ada": 2})


def test_who_is_asked_seldom_is_not_counted_among_those_who_wait() -> None:
    visits = Visits()
    for found in (False, False, True):
        visits.note("ada", found=found, is_seldom=True)
    assert visits.waited == 0


def test_a_campaign_ends_with_nobody_having_waited_long() -> None:
    found = campaign(Crowd(0, 400, 0.0, 2.5), 0.85)
    assert found.right > 0.85
    assert found.honest_suspended == 0.0
    assert found.waited < 3 * SELDOM  # what nobody may have is nobody's fault: the last tasks are held by others
