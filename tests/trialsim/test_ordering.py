"""Numbers are put in order as NumPy and SciPy do it, ties and missing ones too."""

import numpy as np
import pytest
from scipy import stats

from trialsim.ordering import rank_with_ties, sort_places


@pytest.mark.parametrize("n_kinds", [5, 10**9])
def test_places_are_those_of_a_stable_sort(n_kinds: int, rng: np.random.Generator) -> None:
    values = rng.integers(n_kinds, size=(3, 200)).astype(float)
    values[1, :4] = np.inf, np.nan, np.inf, np.nan
    for own in (values, values[0]):
        assert (sort_places(own) == np.argsort(own, axis=-1, kind="stable")).all()


@pytest.mark.parametrize("n_kinds", [5, 10**9])
def test_ranks_are_those_of_scipy(n_kinds: int, rng: np.random.Generator) -> None:
    values = rng.integers(n_kinds, size=200).astype(float)
    assert (rank_with_ties(values) == stats.rankdata(values)).all()
