import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analysis.refined import LEAST, refined_posteriors, rounded
from streams.quality.consensus import verdict
from streams.quality.labelled import Labelled

share = st.floats(0.0, 1.0)


@given(share, share)
def test_rounding_keeps_probabilities_that_sum_to_one_and_are_never_certain(first: float, second: float) -> None:
    a, b = sorted((first, second))
    belief = a, b - a, 1.0 - b
    assert sum(rounded(belief)) == pytest.approx(1.0, abs=1e-9)
    assert min(rounded(belief)) >= LEAST
    assert rounded(belief) == pytest.approx(belief, abs=3e-4)


def test_unanimous_people_are_not_certain() -> None:
    said = [Labelled(item=f"t{n}", annotator=f"w{who}", choice="a") for n in range(100) for who in range(9)]
    belief = refined_posteriors(said)["t0"]
    assert verdict(belief)[0] == "a"
    assert belief[0] < 1.0
