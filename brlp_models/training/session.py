"""A whole training from data to model folder, as the command line runs it."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brlp_models.auxiliary.files import load_auxiliary
from brlp_models.errors import ModelError
from brlp_models.model.files import find_model_folder, read_config
from brlp_models.model.training_people import find_training_people
from brlp_models.scans.grid import Grid
from brlp_models.training.banks.cohort import write_cohort_bank
from brlp_models.training.banks.deformed_labels import Box, list_label_maps, write_label_bank
from brlp_models.training.banks.expected_volumes import CROSS_FITTED, CrossFitted
from brlp_models.training.banks.pairs import name_regions
from brlp_models.training.banks.synthetic_people import PeopleSettings, write_people_bank
from brlp_models.training.banks.volumes import Bank, read_bank_description
from brlp_models.training.export import describe_start, export_model, render_training_card
from brlp_models.training.kept import KeptParts
from brlp_models.training.loop import start_accelerator
from brlp_models.training.metrics_log import METRICS
from brlp_models.training.origin import identify
from brlp_models.training.pipeline import LABEL_BANK, SCAN_BANK, Report, Training
from brlp_models.training.recipe import PeopleRecipe, Recipe
from brlp_models.training.recipe_record import keep_recipe
from brlp_models.training.stages.auxiliary import (
    FILES,
    ONE_VISIT,
    convert_to_mni,
    estimate_mni_head_size,
    fit_auxiliary,
    synthesize_training_table,
)
from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.files.atomic import compute_sha256, write_file
from cohorts.sources.loading import load_cohort
from cohorts.synthetic.anatomy.base import read_anatomy
from cohorts.synthetic.anatomy.mni import load_mni_anatomy
from cohorts.volumes.measurement import list_tools, require_one_tool

MODEL, AUXILIARY = "model", "auxiliary"

FITTED = "auxiliary/fitted.json"
"""What the auxiliary models were fitted on, and their files' checksums, so that they are kept."""

_BACKENDS = re.compile("gloo|nccl|connection (closed|reset) by peer", re.IGNORECASE)
"""In the message of what processes of a training talk by, where one of them is gone."""


def _ignore(_stage: str, _step: int, _steps: int, _metrics: Mapping[str, float]) -> None:
    """Report nothing."""


class TrainingSession:
    """Runs stages, making the volumes that they learn from first.

    Parameters
    ----------
    recipe
        What is made.
    folder
        Of the training; `model` in it is the model folder.
    data
        A cohort with scans and segmentations; None: the recipe's synthetic people.
    measured_by
        The tool whose volumes of the cohort are kept; all are where left out.
    label_maps
        Files that label banks and synthetic people are drawn from.
    report
        Told of every step.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        *,
        data: Path | None = None,
        measured_by: str | None = None,
        label_maps: Path | None = None,
        report: Report = _ignore,
    ) -> None:
        self._cohort = None if data is None else load_cohort(data, measured_by=measured_by)
        if self._cohort is not None:
            require_one_tool({"the training people": self._cohort})
            if recipe.wants_noiseless:
                raise ModelError(
                    "[[refiner]] noiseless is for synthetic people, whose scans are known without "
                    "noise; leave it out for a cohort (--data)."
                )
            if recipe.predicts_changes:
                _refuse_people_known(recipe, self._cohort)
        recipe = _label(recipe, self._cohort)
        self._recipe, self._folder = recipe, folder
        self._label_maps, self._report = label_maps, report
        self._training = Training(recipe, folder, report)

    def run(self, stage: str) -> Path:
        """Train a stage, or `all` of them, and return the folder of what was made.

        Raises
        ------
        ModelError
            Where another process of the training ended, beside whatever keeps one from learning.
        """
        try:
            return self._run(stage)
        except RuntimeError as error:
            if _BACKENDS.search(str(error)) is None:
                raise
            raise ModelError(
                "Another process of this training ended, and tells why; the same command goes on."
            ) from error

    def _run(self, stage: str) -> Path:
        keeps_auxiliary = bool(KeptParts(self._recipe).auxiliary)
        if stage == AUXILIARY and keeps_auxiliary:
            raise ModelError(
                f"The auxiliary models stay those of {self._recipe.start_from}, since neither "
                "[diffusion] nor [[controlnet]] learns with new ones."
            )
        if stage not in ("all", AUXILIARY, *self._training.stages):
            raise ModelError(f"The recipe has no phase of {stage}: nothing would be learned.")
        self._once(self._make_banks)
        if stage == AUXILIARY:
            self._once(self._fit_auxiliary)
            return self._folder / AUXILIARY
        if stage != "all":
            if stage in ("diffusion", "controlnet"):
                self._once(self._fit_auxiliary_unless_there)
                self._once(self._training.check_people)
            self._training.train(stage)  # type: ignore[arg-type]
            return self._folder / stage
        # first, since a cohort that is too small for it would be told after hours otherwise
        if not keeps_auxiliary:
            self._once(self._fit_auxiliary)
        self._once(self._training.check_people)
        for name in self._training.stages:
            self._training.train(name)
        self._once(self._export)
        return self._folder / MODEL

    def _once(self, make: Callable[[], None]) -> None:
        """Have one process of the training make files, while the others wait."""
        accelerator = start_accelerator(self._recipe.list_loops()[0])
        if accelerator.is_main_process:
            make()
        accelerator.wait_for_everyone()

    def _export(self) -> None:
        write_loss_curves(self._folder)
        card = render_training_card(self._recipe, self._folder)
        people = [] if self._cohort is None else list(self._cohort.participants["participant_id"])
        export_model(self._training, self._folder / MODEL, card=card, people=people)

    def _make_banks(self) -> None:
        keep_recipe(self._recipe, self._folder)
        grid = Grid(self._recipe.model.shape, np.array(self._recipe.model.affine))
        labels, scans = self._folder / LABEL_BANK, self._folder / SCAN_BANK
        wanted = self._recipe.label_bank
        if wanted is not None and not (labels / "index.csv").exists():
            write_label_bank(
                self._list_label_maps(),
                labels,
                n_anatomies=wanted.n_anatomies,
                grid=Box.of_grid(grid).refine(2),
                seed=self._recipe.seed,
                report=lambda row: self._report("label maps", row, wanted.n_anatomies, {}),
            )
        # what is given is compared with a bank that is finished, lest another's be taken for it
        if self._cohort is not None or not (scans / "index.csv").exists():
            self._make_scans(scans, grid)
        elif (name := read_bank_description(scans).get("cohort")) is not None:
            raise ModelError(f"{scans} holds scans of the cohort {name}; give it with --data.")
        elif self._recipe.wants_noiseless and not Bank.load(scans).has_noiseless:
            raise ModelError(
                f"{scans} holds no scans without noise, which [[refiner]] noiseless learns from; "
                "leave it out, or begin in another folder (--out)."
            )

    def _make_scans(self, folder: Path, grid: Grid) -> None:
        if self._cohort is not None:
            n = len(self._cohort.participants)
            write_cohort_bank(
                self._cohort,
                folder,
                grid,
                channels=self._recipe.model.channels,
                report=lambda k: self._report("scans", k, n, {}),
            )
            return
        people = self._get_people()
        bases = [read_anatomy(path) for path in self._list_label_maps()]
        settings = PeopleSettings(
            people.n_people,
            people.months,
            self._recipe.seed,
            n_followups=people.n_followups,
            same_acquisition=people.same_acquisition,
            channels=self._recipe.model.channels,
            with_noiseless=self._recipe.wants_noiseless,
        )
        write_people_bank(
            [*bases, load_mni_anatomy()],
            folder,
            settings,
            grid,
            parameters=self._recipe.choose_generator(),
            workers=os.cpu_count() or 1,
            # told how many are finished, where steps are counted from 0
            report=lambda k: self._report("people", k - 1, people.n_people, {}),
        )

    def _get_people(self) -> PeopleRecipe:
        if self._recipe.people is None:
            raise ModelError("This recipe has no synthetic people; give a cohort (--data).")
        return self._recipe.people

    def _list_label_maps(self) -> list[Path]:
        return list_label_maps(self._label_maps, self._recipe.held_out_label_maps)

    def _fit_auxiliary_unless_there(self) -> None:
        if not (self._folder / CROSS_FITTED).exists():
            self._fit_auxiliary()

    def _fit_auxiliary(self) -> None:
        """Fit the auxiliary models, unless whole ones are there that were fitted on the same."""
        cohort, recipe = self._place_tables(), self._recipe
        settings = [recipe.seed, recipe.covariates, recipe.model.context, recipe.model.measured_by]
        tables = [cohort.baseline().to_csv(), cohort.visit_volumes().to_csv(index=False)]
        origin = identify([self._cohort is None, *settings, *tables])
        record = self._folder / FITTED
        if record.is_file() and record.read_text(encoding="utf-8") == self._tell_fitted(origin):
            return
        texts = fit_auxiliary(cohort, recipe.model, covariates=recipe.covariates)
        for name, text in texts.items():
            write_file(self._folder / name, text.encode())
        if self._cohort is None:
            # fitted on people without scans, so on none of those who have any
            fitted = CrossFitted(((None, load_auxiliary(self._folder / ONE_VISIT)),))
        else:
            regions = tuple(name_regions(recipe.model))
            fitted = CrossFitted.fit(
                cohort, regions, covariates=recipe.covariates, seed=recipe.seed
            )
        fitted.write(self._folder / CROSS_FITTED)
        write_file(record, self._tell_fitted(origin).encode())

    def _place_tables(self) -> Cohort:
        """Return whom the auxiliary models are fitted on, with volumes in MNI space."""
        index = Bank.load(self._folder / SCAN_BANK).index
        if self._cohort is not None:
            return convert_to_mni(self._cohort, index)
        parameters = self._recipe.choose_generator()
        return synthesize_training_table(
            self._get_people().n_tabular,
            rng=np.random.default_rng([self._recipe.seed, 7]),
            mni_head_size_mm3=estimate_mni_head_size(index, parameters=parameters),
            parameters=parameters,
        )

    def _tell_fitted(self, origin: str) -> str:
        """Return what `FITTED` holds where the files were fitted on this."""
        paths = [self._folder / name for name in (*FILES.values(), CROSS_FITTED)]
        files = {path.name: compute_sha256(path) for path in paths if path.is_file()}
        return json.dumps({"origin": origin, "files": files}, indent=1) + "\n"


def _refuse_people_known(recipe: Recipe, cohort: Cohort) -> None:
    """Raise `ModelError` where the start was trained on some of whom it is to predict."""
    names, folder = list(cohort.participants["participant_id"]), KeptParts(recipe).folder
    if folder is not None and (known := find_training_people(folder, names)):
        raise ModelError(
            f"{recipe.start_from} was trained on {len(known)} of these "
            f"{tally(len(names), 'people')} (first: {known[0]}) and predicts them better than "
            'others; [[refiner]] changes = "predicted" learns from people whom it does not know.'
        )


def _label(recipe: Recipe, cohort: Cohort | None) -> Recipe:
    """Return the recipe with a model that says on whom it is trained, and who measured them."""
    is_synthetic = cohort is None or cohort.is_synthetic
    scans = "synthetic scans only" if is_synthetic else "real scans"
    of_whom = "" if cohort is None else f", cohort {cohort.name}"
    before = ""
    if recipe.start_from is not None:
        start = read_config(find_model_folder(recipe.start_from))
        before = f" Started from {describe_start(recipe.start_from)}: {start.provenance}"
        if not start.is_synthetic:
            is_synthetic, scans = False, scans.removesuffix(" only")
    update: dict[str, object] = {
        "is_synthetic": is_synthetic,
        "provenance": f"Trained on {scans}{of_whom}.{before}",
    }
    if recipe.start_from is None or recipe.list_diffusion_phases():
        # what knows volumes is of these people
        tools = [] if cohort is None else list(list_tools(cohort).index)
        update["measured_by"] = tools[0] if tools else None
    return recipe.model_copy(update={"model": recipe.model.model_copy(update=update)})


def write_loss_curves(folder: Path) -> Path:
    """Write `losses.png` with the loss of every stage that a training's folder holds."""
    curves = {
        path.parent.relative_to(folder).as_posix(): pd.read_csv(path)
        for path in sorted(folder.glob(f"*/*/{METRICS}"))
    }
    target = folder / "losses.png"
    plot_loss_curves(curves).savefig(target, dpi=120)
    return target


def plot_loss_curves(curves: dict[str, pd.DataFrame]) -> Figure:
    """Return one panel a stage with its loss, smoothed over a fiftieth of its steps.

    Parameters
    ----------
    curves
        `step`, `metric`, `value` by the stage's name.
    """
    figure = Figure(figsize=(3.6 * max(1, len(curves)), 3.2), layout="constrained")
    panels = figure.subplots(1, max(1, len(curves)), squeeze=False)[0]
    for panel, (name, table) in zip(panels, curves.items(), strict=False):
        loss = table[table["metric"] == "loss"].set_index("step")["value"]
        window = max(1, len(loss) // 50)
        panel.plot(loss.index, loss.rolling(window, min_periods=1).mean(), lw=1.2)
        panel.set(title=name, xlabel="step", ylabel="loss", yscale="log")
    return figure
