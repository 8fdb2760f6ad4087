from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.quality.gold import LEAST, rate


def test_those_hardly_known_get_all_of_it_and_those_known_well_a_fifth() -> None:
    assert rate(0.1, 0.35, 0.96) == pytest.approx(0.1)
    assert rate(0.1, 0.86, 0.93) == pytest.approx(0.1 * LEAST)
    assert rate(0.1, 0.70, 0.95) == pytest.approx(0.1 * (LEAST + (1 - LEAST) * 0.5))


def test_those_in_doubt_get_all_of_it_however_well_they_were_known() -> None:
    assert rate(0.1, 0.86, 0.93, in_doubt=True) == 0.1


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_never_more_than_the_bound_and_never_less_for_a_wider_interval(
    bound: float, low: float, width: float, more: float
) -> None:
    narrow, wide = rate(bound, low, low + width), rate(bound, low, low + width + more)
    assert 0 <= narrow <= wide + 1e-12
    assert wide <= bound
