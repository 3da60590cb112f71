"""Codes of missing values among volumes that an adult may have, and volumes that are none."""

import numpy as np
import pytest

from cohorts.sources.checks.volumes import find_volume_codes

USUAL = {"hippocampus": (6500, 900), "thalamus": (13_500, 1_500), "lateral_ventricle": (35e3, 2e4),
         "left_lateral_ventricle": (16e3, 9e3), "csf": (1200, 300)}  # fmt: skip
"""Means and standard deviations whose volumes lie around a code or reach to it."""


@pytest.mark.parametrize("decimals", [0, 1])
@pytest.mark.parametrize("n", [30, 300])
def test_volumes_are_hardly_ever_taken_for_codes(n: int, decimals: int) -> None:
    rng, n_columns = np.random.default_rng(4), 400
    alarms = sum(
        bool(
            find_volume_codes(np.round(np.abs(rng.normal(*usual, n)) + 1, decimals), f"{name}_mm3")
        )
        for name, usual in USUAL.items()
        for _ in range(n_columns)
    )
    assert alarms / (n_columns * len(USUAL)) < 0.003


def test_a_person_of_that_size_is_no_code() -> None:
    """Who has 9,999 mm3 at one visit has nearly the same at the others."""
    rng = np.random.default_rng(5)
    others = np.round(rng.normal(6500, 900, (100, 3)))
    large = [9999.0, 9876.0, 9760.0]
    volumes = np.vstack([others[np.abs(others - 9999).min(axis=1) > 500], large]).ravel()
    assert find_volume_codes(volumes, "hippocampus_mm3") == []
    volumes[-2:] = np.nan
    assert find_volume_codes(volumes, "hippocampus_mm3") == [9999.0]


@pytest.mark.parametrize("decimals", [0, 1])
@pytest.mark.parametrize("n_codes", [2, 10])
def test_a_repeated_code_is_found_among_many(n_codes: int, decimals: int) -> None:
    volumes = np.round(np.random.default_rng(6).normal(6500, 900, 3000), decimals)
    volumes[:n_codes] = 9999
    assert find_volume_codes(volumes, "hippocampus_mm3") == [9999.0]
