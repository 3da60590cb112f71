"""The synthetic people of the demonstration: screened by scan, or known from their history."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from brlp_models.model.files import find_model_folder, read_config
from brlp_models.scans.grid import Grid
from brlp_models.training.banks.evaluation_cohort import write_evaluation_cohort
from brlp_models.training.banks.synthetic_people import PeopleSettings, write_people_bank
from cohorts.cohort import Cohort
from cohorts.folder import is_cohort_folder
from cohorts.sources.loading import load_cohort
from cohorts.synthetic import synthesize_images, synthesize_table
from cohorts.synthetic.mni import load_mni_anatomy
from cohorts.synthetic.truth import read_true_volumes, read_truth, write_true_volumes

N_HISTORY: Final = 200
N_WHOLE_HEADS: Final = 2
VISITS_MONTHS: Final = (0.0, 12.0, 24.0)

PROTOCOL: Final = """\
# The demonstration: SYNTHETIC people only.

[study]
title = "Demonstration on synthetic people"
seed = {seed}
output = "results"

[cohort]
path = "screened"
training = "history"
eligibility = ["age_years between 45 and 95"]

[prediction]
model = "mini"
horizons_months = [24]
samples = 2

[selection]
strategies = ["random", "regression", "boosting", "brlp", "stacked", "oracle"]
fractions_enrolled = [0.5, 0.75, 1.0]
fast_progressor = {{ top_fraction = 0.3, horizon_months = 24 }}

[design]
visits_months = [0, 12, 24]
unit = "log_percent"
slowing = 0.3
analyses = ["ancova", "mmrm"]
dropout = {{ control = 0.2 }}

[costs]
currency = "EUR"
screening = 1500
participant = 25000

[simulation]
sample_sizes = [50, 100, 150, 200, 300, 400]
n_simulations = 1000
n_bootstrap = 500
workers = 2
"""


def write_demonstration(
    folder: Path, *, n_people: int, seed: int, tell: Callable[[str], None]
) -> Path:
    """Write the screened people, those with a history and the protocol; return the protocol.

    What is finished stays, so that an interrupted demonstration goes on.
    """
    # paths in a cohort stay what they are, wherever a study that reads it lies
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for name, write in (("history", write_history), ("screened", write_screened)):
        if not is_cohort_folder(folder / name):
            tell(f"Making SYNTHETIC people: {name}")
            write(folder / name, n_people, seed)
    protocol = folder / "protocol.toml"
    protocol.write_text(PROTOCOL.format(seed=seed), encoding="utf-8")
    return protocol


def write_history(folder: Path, _n_people: int, seed: int) -> None:
    """Write people with volumes and follow-up, but without scans."""
    rng = np.random.default_rng([seed, 0])
    cohort, _ = synthesize_table(N_HISTORY, rng=rng, visits_months=VISITS_MONTHS)
    _rename(cohort, "history").write(folder)


def write_screened(folder: Path, n_people: int, seed: int) -> None:
    """Write people with scans on the model's grid, with two whole heads to be preprocessed."""
    on_grid = _write_on_grid(folder / "on-grid", n_people - N_WHOLE_HEADS, seed)
    heads = folder / "heads"
    synthesize_images(
        heads, N_WHOLE_HEADS, seed=seed, visits_months=VISITS_MONTHS, whole_head=True, workers=2
    )
    of_heads = _rename_people(read_truth(heads).volumes, "head")
    truth = [read_true_volumes(folder / "on-grid"), of_heads]
    write_true_volumes(pd.concat(truth, ignore_index=True), folder)
    _join(on_grid, _rename(load_cohort(heads), "head")).write(folder)


def _write_on_grid(folder: Path, n_people: int, seed: int) -> Cohort:
    config = read_config(find_model_folder("mini"))
    bank = folder / "bank"
    settings = PeopleSettings(
        n_people, (12.0, 24.0), seed, schedule=VISITS_MONTHS[1:], prefix="grid-"
    )
    write_people_bank([load_mni_anatomy()], bank, settings, Grid.of_config(config), workers=2)
    cohort = write_evaluation_cohort(bank, folder, config, rng=np.random.default_rng([seed, 1]))
    shutil.rmtree(bank)
    return cohort


def _join(first: Cohort, second: Cohort) -> Cohort:
    tables = {
        name: pd.concat([getattr(first, name), getattr(second, name)], ignore_index=True)
        for name in ("participants", "visits", "volumes")
    }
    return Cohort(**tables, name="screened people (synthetic)", is_synthetic=True)


def _rename(cohort: Cohort, prefix: str) -> Cohort:
    return replace(
        cohort,
        participants=_rename_people(cohort.participants, prefix),
        visits=_rename_people(cohort.visits, prefix),
        volumes=_rename_people(cohort.volumes, prefix),
    )


def _rename_people(table: pd.DataFrame, prefix: str) -> pd.DataFrame:
    return table.assign(participant_id=f"{prefix}-" + table["participant_id"])
