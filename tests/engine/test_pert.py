"""The table of a PERT against the exact inverse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaincinv

from tollway.engine.distributions.pert import PERT_TABLE_UNIFORM_MIN, pert_share
from tollway.engine.sampling.draws import UNIFORM_MIN

open_uniforms = st.floats(UNIFORM_MIN, 1 - 2**-53)


@given(st.floats(1, 5), st.lists(open_uniforms, min_size=1, max_size=20))
def test_the_table_of_a_pert_is_within_1e_10_of_the_exact_inverse(alpha, some):
    levels = np.array(some)
    assert np.abs(pert_share(alpha, levels) - betaincinv(alpha, 6 - alpha, levels)).max() <= 1e-10


@pytest.mark.parametrize(
    "alpha", [1.0, 1 + 2**-52, 1.5, 2.0, 3 - 1e-12, 3.0, 3 + 1e-12, 4.0, 4.6, 5 - 1e-9, 5.0]
)
def test_a_pert_s_table_keeps_its_error_over_its_whole_length_and_its_tails_are_exact(alpha):
    edge = PERT_TABLE_UNIFORM_MIN
    inside = np.concatenate(
        [np.geomspace(edge, 0.1, 1_000), np.linspace(0.1, 0.9, 2_000), 1 - np.geomspace(edge, 0.1, 1_000)]
    )
    assert np.abs(pert_share(alpha, inside) - betaincinv(alpha, 6 - alpha, inside)).max() <= 1e-10
    tails = np.array([UNIFORM_MIN, 1e-12, 1e-6, 0.9 * edge, 1 - 0.9 * edge, 1 - 1e-9, 1 - 2**-53])
    assert pert_share(alpha, tails) == pytest.approx(
        betaincinv(alpha, 6 - alpha, tails), rel=1e-12, abs=1e-15
    )
