"""The law of a selection by chance is SciPy's hypergeometric distribution."""

import numpy as np
import pytest
from scipy import stats

from trialsim.enrichment.chance import Chance


@pytest.mark.parametrize(
    ("n_people", "n_fast", "n_selected"),
    [(10, 3, 5), (2, 1, 1), (50, 50, 20), (50, 20, 50), (300, 90, 120), (300, 200, 250)],
)
def test_the_law_is_hypergeometric(n_people: int, n_fast: int, n_selected: int) -> None:
    law = Chance(n_people).of(n_fast=n_fast, n_selected=n_selected)
    reference = stats.hypergeom(n_people, n_fast, n_selected)
    numbers = law.fewest + np.arange(law.probabilities.size)
    assert (law.fewest, numbers[-1]) == reference.support()
    assert law.probabilities == pytest.approx(reference.pmf(numbers), rel=1e-9)
    for level in (0.025, 0.5, 0.975):
        assert law.find_quantile(level) == reference.ppf(level)
    for captured in (0, law.fewest, n_fast * n_selected // n_people, int(numbers[-1])):
        assert law.compute_p_value(captured) == pytest.approx(reference.sf(captured - 1), rel=1e-9)


def test_p_values_of_very_many_people_keep_their_digits() -> None:
    law = Chance(1_000_000).of(n_fast=300_000, n_selected=200_000)
    reference = stats.hypergeom.sf(60_999, 1_000_000, 300_000, 200_000)
    assert law.compute_p_value(61_000) == pytest.approx(reference, rel=1e-7)
