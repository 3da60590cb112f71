"""The work of predicting a cohort, person by person."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch

from brlp_models.errors import ModelError, OutOfMemoryError
from brlp_models.model.context import encode_context, find_values_outside_training
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.batches import told_when_out_of_memory
from brlp_models.prediction.context import (
    AuxiliaryModels,
    EndpointSource,
    build_context_values,
    list_told_volumes,
)
from brlp_models.prediction.dataset import (
    OUTLINED_REGION,
    PredictedDataset,
    write_dataset_tables,
)
from brlp_models.prediction.draws import Drawing, Person, PersonAtHorizon
from brlp_models.prediction.person_basis import PersonBasis, find_basis
from brlp_models.prediction.person_files import PredictionArchive, write_prediction_tables
from brlp_models.prediction.settings import Part, PredictionSettings
from brlp_models.prediction.start import (
    People,
    add_missing_volumes,
    find_start_visit,
    load_start_scan,
    measure_start,
)
from brlp_models.prediction.tables import (
    build_predictions_table,
    build_rows,
    find_change_error,
)
from brlp_models.scans.cache import ScanCache
from cohorts.cohort import Cohort
from cohorts.errors import StorageError, TrialsimError
from cohorts.schema import validate_table

AUTO_ROUND, AUTO_MAXIMUM = 4, 64

_READ_AT_ONCE = 500

Result = TypeVar("Result")
OnProgress = Callable[[float], None]
"""Told how many predictions (people x horizons) were finished since it was last told."""
OnPerson = Callable[
    [Sequence[PersonAtHorizon], Sequence[torch.Tensor], Sequence[torch.Tensor]], None
]
"""Given a person's targets, and the predicted scan and its sd (channels, *shape) of each."""


@dataclass(frozen=True)
class CohortPrediction:
    """What is predicted for a cohort.

    Parameters
    ----------
    predictions
        The `predictions` table, with raw volumes, uncertainty and warnings beside it.
    scan_checks
        The verdict on each starting scan: `fail` for everyone in `failures`.
    failures
        `participant_id`, `problem` of everyone who could not be predicted.
    """

    predictions: pd.DataFrame
    scan_checks: pd.DataFrame
    failures: pd.DataFrame


@dataclass(frozen=True)
class PredictionJob:
    """One call of `brlp_models.prediction.cohort.predict_cohort`; the fields are its arguments."""

    model: BrlpModel
    cohort: Cohort
    settings: PredictionSettings
    drawing: Drawing
    archive: PredictionArchive
    dataset: PredictedDataset
    cache: ScanCache
    auxiliary: AuxiliaryModels
    context_from: EndpointSource | None
    save_images: bool
    has_tables: bool
    on_progress: OnProgress
    on_person: OnPerson | None
    part: Part

    @cached_property
    def people(self) -> People:
        """Everyone of the cohort."""
        return People(self.cohort)

    def run(self) -> CohortPrediction:
        """Predict the part's people whose results the archive lacks, and return all of theirs."""
        everyone = [str(name) for name in self.cohort.participants["participant_id"]]
        problems: dict[str, Sequence[str]] = {}
        size = self._group_size()
        groups = [everyone[start : start + size] for start in range(0, len(everyone), size)]
        own = self.part.pick(groups)
        for group in own:
            self._predict_group(group, problems)
        people = [name for group in own for name in group if name not in problems]
        return self._collect(people, problems)

    def _group_size(self) -> int:
        draws = AUTO_ROUND if self.settings.samples == "auto" else self.settings.samples
        per_person = draws * len(self.settings.horizons_months)
        return math.ceil(self.drawing.latent_batch.size / per_person)

    def _predict_group(self, group: Sequence[str], problems: dict[str, Sequence[str]]) -> None:
        # taken before anything is read: a file that changes meanwhile is not what results stand on
        bases = {name: self._find_basis(name) for name in group}
        waiting = [name for name in group if not self.archive.has(name, bases[name])]
        ready = self._prepare_all(waiting, problems)
        if ready and len(waiting) < len(group):
            # drawn once more with the rest of their group: rounding depends on who is in a batch
            ready = self._prepare_all([name for name in group if name not in problems], problems)
        self.on_progress(float((len(group) - len(ready)) * len(self.settings.horizons_months)))
        self._draw([target for targets, _ in ready.values() for target in targets])
        # who was finished before is drawn along, and stays as it was kept
        for name in (name for name in ready if name in waiting):
            _attempt(name, lambda name: self._finish(*ready[name], bases[name]), problems)

    def _find_basis(self, name: str) -> PersonBasis:
        person, until = self.people.select(name), self.settings.until_months
        return find_basis(self.model, person, until_months=until)

    def _prepare_all(
        self, names: Sequence[str], problems: dict[str, Sequence[str]]
    ) -> dict[str, tuple[list[PersonAtHorizon], list[str]]]:
        prepared = {name: _attempt(name, self._prepare, problems) for name in names}
        return {name: found for name, found in prepared.items() if found is not None}

    def _prepare(self, name: str) -> tuple[list[PersonAtHorizon], list[str]]:
        person, cohort = self._encode(name)
        months, auxiliary = self.settings.horizons_months, self.auxiliary
        if self.context_from is not None:
            ratios = self.context_from.expect_ratios(self.model, cohort, self.cache, months)
            auxiliary = auxiliary.tell(ratios, lead=self.model.config.endpoint)
        values = build_context_values(
            self.model.config,
            auxiliary,
            cohort,
            person.start,
            determinant=person.scan.determinant,
            horizons_months=months,
        )
        config, determinant = self.model.config, person.scan.determinant
        context = encode_context(config.context, values)
        told = list_told_volumes(config, values, person.volumes, determinant=determinant)
        outside = find_values_outside_training(self.model.config, values)
        reasons = [f"{person.scan.warnings}."] if person.scan.warnings else []
        targets = [
            PersonAtHorizon(
                person, horizon, float(values["age"].iloc[row]), context[row], told[row]
            )
            for row, horizon in enumerate(months)
        ]
        return targets, [*reasons, *outside["problem"]]

    def _encode(self, name: str) -> tuple[Person, Cohort]:
        cohort = self.people.select(name)
        start = find_start_visit(cohort, name, until_months=self.settings.until_months)
        scan = load_start_scan(self.model, cohort, start, self.cache)
        latent = self.model.encode(scan.image[None]).cpu()
        volumes, source = measure_start(cohort, start, scan, self.drawing.segmenter)
        reconstruction = self.model.decode(latent)[0].cpu()
        person = Person(start, scan, latent[0], reconstruction, volumes, source)
        return person, add_missing_volumes(cohort, start, volumes, source)

    def _draw(self, targets: Sequence[PersonAtHorizon]) -> None:
        samples = self.settings.samples
        if samples != "auto":
            self.drawing.add_draws(targets, samples, lambda _: self.on_progress(1 / samples))
            return
        open_targets = list(targets)
        while open_targets:
            self.drawing.add_draws(open_targets, AUTO_ROUND, lambda _: None)
            still_open = [target for target in open_targets if self._needs_more(target)]
            self.on_progress(float(len(open_targets) - len(still_open)))
            open_targets = still_open

    def _needs_more(self, target: PersonAtHorizon) -> bool:
        if target.draws.n_samples >= AUTO_MAXIMUM:
            return False
        error = target.draws.compute_relative_error(self.drawing.model.config.endpoint)
        return 100 * error > self.settings.tolerance_percent

    def _finish(
        self, targets: Sequence[PersonAtHorizon], warnings: Sequence[str], basis: PersonBasis
    ) -> None:
        person = targets[0].person
        name = person.participant_id
        if problems := [problem for target in targets for problem in target.problems]:
            raise ModelError(*problems)
        means = torch.stack([target.draws.latents.mean for target in targets])
        baseline, decoded = person.reconstruction, self.drawing.decode(means)
        names = [person.start.reconstruction_name, *(target.name for target in targets)]
        images = torch.cat([baseline[None], decoded])
        rows: list[list[dict[str, Any]]] = [[] for _ in targets]
        if self.drawing.segmenter is not None:
            reconstructed, *predicted = self._measure(person, images, names)
            rows = [
                build_rows(
                    self.model,
                    target,
                    predicted=volumes,
                    reconstructed=reconstructed,
                    warnings=" ".join(warnings),
                )
                for target, volumes in zip(targets, predicted, strict=True)
            ]
        if self.drawing.renders:
            shown = self.drawing.render(person, decoded)
            scale = self.model.config.voxel_scale
            sds = [
                target.draws.compute_voxel_sd(
                    change, find_change_error(self.model, target, own), scale=scale
                )
                for target, change, own in zip(
                    targets, self.drawing.find_shown_change(person, shown), rows, strict=True
                )
            ]
            self._show(targets, list(shown), sds, baseline)
        every_row = [row for own in rows for row in own]
        content = {"rows": _without_nan(every_row), "check": self._check(person, warnings)}
        self.archive.write(name, content, basis)

    def _show(
        self,
        targets: Sequence[PersonAtHorizon],
        scans: Sequence[torch.Tensor],
        sds: Sequence[torch.Tensor],
        baseline: torch.Tensor,
    ) -> None:
        if self.on_person is not None:
            self.on_person(targets, scans, sds)
        if not self.save_images:
            return
        # beside the predicted scans lies a baseline of their sharpness
        person = targets[0].person
        (start,) = self.drawing.render(person, baseline[None])
        self.dataset.write_start(person, np.asarray(start))
        for target, scan, sd in zip(targets, scans, sds, strict=True):
            self.dataset.write_prediction(target, np.asarray(scan), np.asarray(sd))

    def _measure(
        self, person: Person, images: torch.Tensor, names: Sequence[str]
    ) -> list[Mapping[str, float]]:
        """Return the volumes in images, and keep where the outlined region is beside scans."""
        if not self.save_images:
            return self.drawing.measure(images, names)
        volumes, shares = self.drawing.measure_and_locate(images, names, OUTLINED_REGION)
        for name, share in zip(names[: len(shares)], shares, strict=True):
            self.dataset.write_region(person, name, np.asarray(share))
        return volumes

    def _check(self, person: Person, warnings: Sequence[str]) -> dict[str, Any]:
        return {
            "participant_id": person.participant_id,
            "session_id": person.start.session_id,
            "model_id": self.model.model_id,
            "verdict": "warn" if warnings else "pass",
            "reasons": " ".join(warnings),
            "brain_mask": person.scan.brain_mask,
        }

    def _collect(
        self, finished: Sequence[str], problems: dict[str, Sequence[str]]
    ) -> CohortPrediction:
        failures = {name: " ".join(told) for name, told in problems.items()}
        checks: list[dict[str, Any]] = []
        parts: list[pd.DataFrame] = []
        # rows as Python objects are held of a few people only
        for start in range(0, len(finished), _READ_AT_ONCE):
            contents = [self.archive.read(name) for name in finished[start:][:_READ_AT_ONCE]]
            checks += [content["check"] for content in contents]
            parts.append(pd.DataFrame([row for content in contents for row in content["rows"]]))
        checks += [self._refusal(name, told) for name, told in failures.items()]
        columns = ["participant_id", "session_id", "model_id", "verdict", "reasons", "brain_mask"]
        found = CohortPrediction(
            build_predictions_table([part for part in parts if len(part)]),
            validate_table(pd.DataFrame(checks, columns=columns), "scan_checks"),
            pd.DataFrame(failures.items(), columns=["participant_id", "problem"], dtype=str),
        )
        if self.has_tables and self.part.is_whole:
            write_prediction_tables(self.archive.folder, found.predictions, found.scan_checks)
            people = self.cohort.participants["participant_id"]
            write_dataset_tables(self.archive.folder, people, found.predictions)
        return found

    def _refusal(self, name: str, problem: str) -> dict[str, Any]:
        first = self.cohort.select([name]).visit(0)["session_id"]
        return {
            "participant_id": name,
            "session_id": first.iloc[0] if len(first) else "baseline",
            "model_id": self.model.model_id,
            "verdict": "fail",
            "reasons": problem,
        }


def _attempt(
    name: str, step: Callable[[str], Result], problems: dict[str, Sequence[str]]
) -> Result | None:
    """Return what `step` makes of a person, or note why it cannot."""
    try:
        with told_when_out_of_memory("scan"):
            return step(name)
    except (OutOfMemoryError, StorageError):
        # no fault of the person's: whoever asks again predicts them
        raise
    except TrialsimError as error:
        problems[name] = error.problems
        return None


def _without_nan(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # JSON has no NaN
    return [
        {key: None if isinstance(v, float) and math.isnan(v) else v for key, v in row.items()}
        for row in rows
    ]
