"""Tests of predictions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.predictions import DIGITS, round_digits


def check_rounding(values):
    found = round_digits(np.array(values, float))
    expected = np.array([float(f"{value:.{DIGITS}g}") for value in values])
    # Also the sign of zero.
    assert [repr(value) for value in found.tolist()] == [repr(v) for v in expected.tolist()]


@given(st.lists(st.floats() | st.floats(-1e6, 1e6), max_size=20))
def test_rounds_as_text_does(values):
    check_rounding(values)


@pytest.mark.parametrize("exponent", [-320, -30, -9, -1, 0, 1, 13, 30, 299])
def test_rounds_numbers_close_to_the_middle_as_text_does(exponent):
    random = np.random.default_rng(0)
    digits = [*random.integers(10**8, 10**9, 200).tolist(), 10**8, 10**9 - 1]
    middle = np.array([float(f"{number}.5e{exponent}") for number in digits])
    check_rounding([*middle, *np.nextafter(middle, np.inf), *np.nextafter(middle, -np.inf)])
    check_rounding([float(f"{number}e{exponent}") for number in digits])
