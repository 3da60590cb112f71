"""Tables of people with scans: as regressions learn from them, and no scan changes with them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brlp_models.baselines.people import TableCoding
from brlp_models.prediction.person_basis import PersonBasis
from brlp_models.prediction.person_files import PredictionArchive
from brlp_models.scans.grid import Grid
from brlp_models.training.banks import synthetic_people
from brlp_models.training.banks.measured_people import draw_tabled_people
from brlp_models.training.banks.person_tables import COVARIATES, MEASURED, tabulate_person
from brlp_models.training.banks.synthetic_people import PeopleSettings
from cohorts.sources.columns import name_volume_column
from cohorts.synthetic.generators import choose_generator
from cohorts.synthetic.trajectories import sample_people

PARAMETERS = choose_generator(2, "strong")
N = 400


def test_tables_are_distributed_as_those_that_regressions_learn_from() -> None:
    learned = draw_tabled_people(4 * N, seed=1, parameters=PARAMETERS).table
    rng = np.random.default_rng(2)
    rows = []
    for _ in range(N):
        people = sample_people(1, rng=rng, parameters=PARAMETERS.cohort)
        first, later = tabulate_person(people, np.array([[0.0, 4.0]]), rng, PARAMETERS.cohort)
        assert later["measured_hippocampus"] < 1.1 * first["measured_hippocampus"]
        rows.append(first)
    made = pd.DataFrame(rows)
    volumes = {name: name.removeprefix(MEASURED) for name in made if name.startswith(MEASURED)}
    columns = {name: name_volume_column(region) for name, region in volumes.items()}
    table = made[[*COVARIATES, *columns]].rename(columns=columns)
    assert set(learned) - {"sex", "age_years", "diagnosis", "apoe4", "site"} == set(table)
    coding = TableCoding.fit(learned, list(table))
    seen, expected = coding.encode(table), coding.encode(learned)
    # in sds of those learned from; four standard errors of a difference of means
    np.testing.assert_allclose(seen.mean(0), expected.mean(0), atol=4 * np.sqrt(1.25 / N))
    np.testing.assert_allclose(seen.std(0), 1, atol=0.2)
    assert np.allclose(
        table["csf_mm3"], table["head_size_mm3"] - table["brain_mm3"], rtol=1e-9, atol=0
    )


def test_no_scan_changes_with_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    def synthesize(*_: Any, rng: np.random.Generator, **__: Any) -> list[Any]:
        return list(rng.random(2))

    monkeypatch.setattr(synthetic_people, "synthesize_scans", synthesize)
    monkeypatch.setattr(
        synthetic_people, "align_by_moments", lambda _, rng: rng.random() * np.eye(4)
    )
    monkeypatch.setattr(synthetic_people, "place_on_grid", lambda scan, *_, **__: scan)
    monkeypatch.setattr(synthetic_people, "measure_in_mni", lambda *_: {})

    class Base:
        name = "base"

    settings = PeopleSettings(1, (0.0, 24.0), 5)
    grid = Grid((2, 2, 2), np.eye(4))
    makes = [
        synthetic_people._make_person([Base()], own, grid, PARAMETERS, 3)  # type: ignore[list-item]
        for own in (settings, replace(settings, with_tables=True))
    ]
    (scans, rows), (same, more) = makes
    assert scans == same
    assert [list(own.items()) for own in rows] == [
        list(own.items())[: len(rows[0])] for own in more
    ]
    assert {"mmse", "education_years", "measured_brain", "measured_head_size_mm3"} <= set(more[0])


def test_results_of_another_determinant_are_made_again(tmp_path: Any) -> None:
    archive = PredictionArchive(tmp_path, {})
    archive.write("sub-1", {"rows": []}, PersonBasis(1.25))
    archive.write("sub-2", {"rows": []}, PersonBasis())
    assert archive.has("sub-1", PersonBasis(1.25))
    assert not archive.has("sub-1", PersonBasis(1.3))
    assert not archive.has("sub-1", PersonBasis())
    assert archive.has("sub-2", PersonBasis())
    assert not archive.has("sub-2", PersonBasis(1.25))
