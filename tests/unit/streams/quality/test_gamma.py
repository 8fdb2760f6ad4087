import numpy as np
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from streams.quality.gamma import log_gamma


@given(arrays.arrays(np.float64, (4, 3), elements=st.floats(1e-6, 1e6)))
def test_it_is_that_of_scipy_and_leaves_its_argument(x: np.typing.NDArray[np.float64]) -> None:
    before = x.copy()
    np.testing.assert_allclose(log_gamma(x), scipy.special.gammaln(x), rtol=1e-7, atol=1e-7)
    np.testing.assert_array_equal(x, before)
