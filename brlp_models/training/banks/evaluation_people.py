"""Synthetic people that a model is evaluated on, or that its intervals are calibrated on."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from brlp_models.errors import ModelError
from brlp_models.scans.grid import Grid
from brlp_models.training.banks.deformed_labels import list_label_maps
from brlp_models.training.banks.evaluation_cohort import write_evaluation_cohort
from brlp_models.training.banks.synthetic_people import PeopleSettings, write_people_bank
from brlp_models.training.recipe import Recipe
from cohorts.cohort import Cohort
from cohorts.files.folder import is_cohort_folder
from cohorts.synthetic.anatomy.base import BaseAnatomy, read_anatomy
from cohorts.synthetic.anatomy.mni import load_mni_anatomy
from cohorts.synthetic.truth import write_generator

Purpose = Literal["evaluation", "calibration"]
_PREFIX: dict[Purpose, str] = {"evaluation": "sub-eval", "calibration": "sub-cal"}
_SEED_SHIFT: dict[Purpose, int] = {"evaluation": 0, "calibration": 1}


def write_evaluation_people(
    recipe: Recipe,
    label_maps: Path,
    folder: Path,
    *,
    purpose: Purpose = "evaluation",
    n_people: int | None = None,
    seed: int | None = None,
    baseline_scans_only: bool = False,
    workers: int = 1,
    report: Callable[[int], None] = lambda _: None,
) -> Cohort:
    """Write a cohort of people on the recipe's grid, with their truth beside it.

    Each visit has a bias field, noise and contrast of its own; beside the truth lies each visit as
    the first acquisition would show it without noise.

    Parameters
    ----------
    recipe
        Its `evaluation` says how many people, which visits, which seed.
    label_maps
        A folder with the label maps of training and the held-out ones.
    folder
        The cohort's; an interrupted one goes on.
    purpose
        `evaluation` draws anatomies from the held-out label maps alone; `calibration` from those
        that training reads, with the next seed, so that nothing is ever fitted on the former.
    n_people, seed
        In place of the recipe's.
    baseline_scans_only
        Later visits have their volumes, true and measured, and no scan: for evaluations of volumes
        only. All else is the same, bit for bit.
    workers
        Processes; the people do not depend on how many there are.
    report
        Told the number of people finished so far.

    Raises
    ------
    ModelError
        Where the folder holds a cohort already, or there are no such label maps.
    """
    if is_cohort_folder(folder):
        raise ModelError(f"{folder} holds a cohort already; choose another folder.")
    wanted = recipe.evaluation
    seed = wanted.seed + _SEED_SHIFT[purpose] if seed is None else seed
    settings = PeopleSettings(
        n_people or wanted.n_people,
        (0.0, max(wanted.schedule)),
        seed,
        schedule=wanted.schedule,
        prefix=_PREFIX[purpose],
        labels_by_share=True,
        channels=recipe.model.channels,
        with_noiseless=True,
        baseline_scans_only=baseline_scans_only,
        with_tables=True,
    )
    folder = folder.absolute()
    bank = folder / "bank"
    grid = Grid.of_config(recipe.model)
    bases = read_bases(recipe, label_maps, purpose)
    write_people_bank(
        bases,
        bank,
        settings,
        grid,
        parameters=recipe.choose_generator(),
        workers=workers,
        report=report,
    )
    cohort = write_evaluation_cohort(
        bank, folder, recipe.model, baseline_scans_only=baseline_scans_only
    )
    write_generator(recipe.choose_generator(), folder)
    shutil.rmtree(bank)
    return cohort


def read_bases(recipe: Recipe, label_maps: Path, purpose: Purpose) -> list[BaseAnatomy]:
    """Return the anatomies that people for a purpose are drawn from."""
    is_evaluation = purpose == "evaluation"
    paths = list_label_maps(label_maps, recipe.held_out_label_maps, for_evaluation=is_evaluation)
    bases = [read_anatomy(path) for path in paths]
    return bases if is_evaluation else [*bases, load_mni_anatomy()]
