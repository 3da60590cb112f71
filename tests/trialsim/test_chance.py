"""The law of a selection by chance is SciPy's hypergeometric distribution."""

import numpy as np
import pytest
from scipy import stats

from trialsim.enrichment.evaluation.chance import Chance, compute_smallest_p_values


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


@pytest.mark.parametrize("top_selected", [True, False])
def test_smallest_p_values_are_those_of_permuted_people(top_selected: bool) -> None:
    """Against dealing out to person by person who is fast, and asking SciPy of each selection."""
    rng, n_people, sizes = np.random.default_rng(2), 30, np.array([5, 12, 27])
    ranks = [1 + rng.permutation(n_people) for _ in range(2)]
    places = np.searchsorted(sizes, 1 + np.arange(n_people))
    fast = places if top_selected else np.where(np.arange(n_people) < 9, 0, sizes.size)
    n_fast = [int((fast <= place).sum()) for place in range(sizes.size)]
    laws = [
        Chance(n_people).of(n_fast=many, n_selected=int(size))
        for many, size in zip(n_fast, sizes, strict=True)
    ]
    selected = [np.searchsorted(sizes, rank) for rank in ranks]
    found = compute_smallest_p_values(laws, selected, fast, 20_000, rng)
    naive = []
    for _ in range(2_000):
        dealt = rng.permutation(fast)
        captured = [
            [int(((one <= place) & (dealt <= place)).sum()) for place in range(sizes.size)]
            for one in selected
        ]
        naive.append(np.min(stats.hypergeom.sf(np.array(captured) - 1, n_people, n_fast, sizes)))
    for level in (0.01, 0.05, 0.2, 0.5):
        share = (found <= level + 1e-9).mean()
        # four standard errors of a share of 2,000
        error = 4 * np.sqrt(share * (1 - share) / 2_000) + 1e-3
        assert np.mean(np.array(naive) <= level + 1e-9) == pytest.approx(share, abs=error)
