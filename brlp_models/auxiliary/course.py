"""Disease course mapping of regional volumes, one model for each diagnosis at baseline."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brlp_models.auxiliary.course_model import LogisticProgression
from brlp_models.auxiliary.interface import tabulate_predictions
from brlp_models.auxiliary.visits import ID, TIME
from brlp_models.errors import ModelError
from cohorts.schema import CONTEXT_REGIONS, order_diagnoses

RISING_REGIONS = ("lateral_ventricle", "csf")
"""Regions that grow with age; the others are inverted so that every feature rises."""

_MARGIN = 0.05
"""Share of the training range by which the normalization is widened on either side."""


@dataclass(frozen=True)
class ProgressionAuxiliary:
    """Volumes at a later age from one visit or several, through a person's own disease course.

    A volume is scaled to 0-1, inverted where the region shrinks, followed along the course,
    inverted back, corrected by (x - q) / m and clipped. The model is chosen by the diagnosis AT
    BASELINE.

    Parameters
    ----------
    groups
        The progression model of each baseline diagnosis, all with the same features (regions).
    normalization
        The volumes (mm3) that scale to 0 and to 1, by region.
    falling
        The regions that are inverted.
    correction
        (m, q) by region; (1, 0) where absent.
    clip
        Bounds of the scaled prediction.
    volume_space
        ``"native"`` or ``"mni"``.
    measured_by
        The tool that measured the training volumes; None where that is not recorded.
    """

    kind: ClassVar[str] = "progression"

    groups: Mapping[str, LogisticProgression]
    normalization: Mapping[str, tuple[float, float]]
    falling: tuple[str, ...]
    correction: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    clip: tuple[float, float] | None = None
    volume_space: str = "native"
    measured_by: str | None = None

    def __post_init__(self) -> None:
        features = {model.features for model in self.groups.values()}
        if len(features) != 1:
            raise ModelError(
                "The progression models of all diagnoses need the same features in the same "
                f"order, got {sorted(features)}."
            )
        lacking = [region for region in self.regions if region not in self.normalization]
        if lacking:
            raise ModelError(
                *(f"The progression model has no normalization of {region}." for region in lacking)
            )

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that are predicted."""
        return next(iter(self.groups.values())).features

    @classmethod
    def from_official(cls, paths: Mapping[str, Path | str]) -> "ProgressionAuxiliary":
        """Build the model from the authors' Leaspy files, by diagnosis (CN, MCI, AD).

        Normalization, inversion, correction and clip are the published ones
        (`official_auxiliary.json`); volumes are in MNI space.

        Raises
        ------
        ModelError
            Where a file cannot be read or does not hold the five regions.
        """
        text = files("brlp_models").joinpath("official_auxiliary.json").read_text("utf-8")
        groups = {diagnosis: LogisticProgression.load(path) for diagnosis, path in paths.items()}
        return cls(groups=groups, **_parse_scaling(json.loads(text)))

    @classmethod
    def fit(
        cls,
        baseline_table: pd.DataFrame,
        visits: pd.DataFrame,
        *,
        regions: Sequence[str] = CONTEXT_REGIONS,
        n_sources: int | None = None,
        volume_space: str = "native",
    ) -> "ProgressionAuxiliary":
        """Fit one progression model for each baseline diagnosis in the table.

        Parameters
        ----------
        baseline_table
            Training people, index participant_id, with diagnosis at baseline.
        visits
            What was measured at their visits (`Cohort.visit_volumes` of the regions).
        regions
            Features.
        n_sources
            Components of the space shift; one less than the regions when None.
        volume_space
            Whether the volumes are ``"native"`` mm3 or ``"mni"``.

        Raises
        ------
        ModelError
            Every group with fewer than 10 people with two visits.
        """
        measured = _measure_visits(visits, regions)
        measured = measured[measured[ID].isin(baseline_table.index)]
        if measured.empty:
            raise ModelError("No visit of the training people has volumes of the wanted regions.")
        low, high = measured[list(regions)].min(), measured[list(regions)].max()
        margin = _MARGIN * (high - low)
        normalization = {
            region: (float(low[region] - margin[region]), float(high[region] + margin[region]))
            for region in regions
        }
        falling = tuple(region for region in regions if region not in RISING_REGIONS)
        features = _scale(measured, regions, normalization, falling)
        diagnoses = baseline_table["diagnosis"].reindex(features[ID]).to_numpy()
        present = order_diagnoses(diagnoses)
        groups = _fit_groups(
            {diagnosis: features[diagnoses == diagnosis] for diagnosis in present},
            regions,
            n_sources,
        )
        return cls(groups, normalization, falling, volume_space=volume_space)

    def predict_volumes(
        self,
        baseline_table: pd.DataFrame,
        *,
        horizons_months: Sequence[float],
        visits: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """Return the expected volumes; see `AuxiliaryModel.predict_volumes`.

        Raises
        ------
        ModelError
            A baseline diagnosis without a model, an age or a volume that is missing, or a visit
            that is not before every horizon (its volumes would be the answer).
        """
        self._check_table(baseline_table)
        seen = self._collect_visits(baseline_table, visits, min(horizons_months))
        features = _scale(seen, self.regions, self.normalization, self.falling)
        shape = (len(baseline_table), len(horizons_months), len(self.regions))
        values, sds = np.empty(shape), np.empty(shape)
        years = np.asarray(horizons_months, dtype=float) / 12
        for diagnosis, model in self.groups.items():
            rows = np.flatnonzero((baseline_table["diagnosis"] == diagnosis).to_numpy())
            people = baseline_table.index[rows]
            if len(people) == 0:
                continue
            ages = {
                who: age + years
                for who, age in baseline_table["age_years"].iloc[rows].astype(float).items()
            }
            estimates = model.estimate_with_sd(features[features[ID].isin(people)], ages)
            for row, who in zip(rows, people, strict=True):
                values[row], sds[row] = estimates[who]
        return tabulate_predictions(
            baseline_table.index, horizons_months, self.regions, *self._unscale(values, sds)
        )

    def _check_table(self, table: pd.DataFrame) -> None:
        columns = ("age_years", "diagnosis")
        missing = [name for name in columns if name not in table.columns]
        if missing:
            raise ModelError(*(f"The baseline table has no column {name!r}." for name in missing))
        unknown = table.index[~table["diagnosis"].isin(list(self.groups))]
        problems = [
            f"Participant {who} has the baseline diagnosis {table.loc[who, 'diagnosis']!r}; "
            f"there are progression models for {', '.join(self.groups)}."
            for who in unknown
        ]
        problems += [
            f"Participant {who} has no number for age_years."
            for who in table.index[table["age_years"].isna()]
        ]
        if problems:
            raise ModelError(*problems)

    def _collect_visits(
        self,
        table: pd.DataFrame,
        visits: pd.DataFrame | None,
        first_horizon: float,
    ) -> pd.DataFrame:
        """Return ID, TIME and volumes of all visits that may be used."""
        if visits is None:
            return self._baseline_visits(table)
        own = visits[visits["participant_id"].isin(table.index)]
        late = own[own["months_from_baseline"] >= first_horizon]
        if len(late):
            raise ModelError(
                *(
                    f"Visit {visit.session_id} of {visit.participant_id} is at "
                    f"{visit.months_from_baseline:g} months; a prediction at {first_horizon:g} "
                    "months may use earlier visits only."
                    for visit in late.itertuples()
                )
            )
        seen = _measure_visits(own, self.regions)
        absent = table[~table.index.isin(seen[ID])]
        return pd.concat([seen, self._baseline_visits(absent)]) if len(absent) else seen

    def _baseline_visits(self, table: pd.DataFrame) -> pd.DataFrame:
        names = [f"{region}_mm3" for region in self.regions]
        missing = [name for name in names if name not in table.columns]
        if missing:
            raise ModelError(*(f"The baseline table has no column {name!r}." for name in missing))
        frame = table[names].set_axis(list(self.regions), axis=1).astype(float)
        frame[ID], frame[TIME] = table.index, table["age_years"].astype(float)
        return frame

    def _unscale(
        self, values: NDArray[np.float64], sds: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        fall = np.array([region in self.falling for region in self.regions])
        m, q = np.array([self.correction.get(region, (1.0, 0.0)) for region in self.regions]).T
        low, high = np.array([self.normalization[region] for region in self.regions]).T
        scaled = (np.where(fall, 1 - values, values) - q) / m
        if self.clip is not None:
            scaled = scaled.clip(*self.clip)
        return (low + scaled * (high - low)).clip(min=0), sds / m * (high - low)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON content."""
        return {
            "kind": self.kind,
            "groups": {name: model.to_dict() for name, model in self.groups.items()},
            "normalization": {name: list(pair) for name, pair in self.normalization.items()},
            "falling": list(self.falling),
            "correction": {name: list(pair) for name, pair in self.correction.items()},
            "clip": None if self.clip is None else list(self.clip),
            "volume_space": self.volume_space,
            "measured_by": self.measured_by,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "ProgressionAuxiliary":
        """Build the model from JSON content."""
        groups = {
            name: LogisticProgression.from_dict(model) for name, model in content["groups"].items()
        }
        return cls(groups=groups, **_parse_scaling(content))


def _parse_scaling(content: Mapping[str, Any]) -> dict[str, Any]:
    clip = content["clip"]
    return {
        "normalization": {name: tuple(pair) for name, pair in content["normalization"].items()},
        "falling": tuple(content["falling"]),
        "correction": {name: tuple(pair) for name, pair in content["correction"].items()},
        "clip": None if clip is None else tuple(clip),
        "volume_space": content["volume_space"],
        "measured_by": content.get("measured_by"),
    }


def _fit_groups(
    features: Mapping[str, pd.DataFrame], regions: Sequence[str], n_sources: int | None
) -> dict[str, LogisticProgression]:
    groups: dict[str, LogisticProgression] = {}
    problems: list[str] = []
    for diagnosis, table in features.items():
        try:
            groups[diagnosis] = LogisticProgression.fit(
                table, features=regions, n_sources=n_sources
            )
        except ModelError as error:
            problems += [f"Baseline diagnosis {diagnosis}: {problem}" for problem in error.problems]
    if problems:
        raise ModelError(*problems)
    return groups


def _measure_visits(visits: pd.DataFrame, regions: Sequence[str]) -> pd.DataFrame:
    """Return ID, TIME and volumes (mm3) of every visit at which some region was measured."""
    table = visits[["participant_id", "age_years", *regions]]
    table = table.dropna(subset=list(regions), how="all")
    return table.rename(columns={"participant_id": ID, "age_years": TIME})


def _scale(
    table: pd.DataFrame,
    regions: Sequence[str],
    normalization: Mapping[str, tuple[float, float]],
    falling: Sequence[str],
) -> pd.DataFrame:
    low, high = np.array([normalization[region] for region in regions]).T
    scaled = (table[list(regions)].to_numpy(float) - low) / (high - low)
    fall = np.array([region in falling for region in regions])
    scaled = np.where(fall, 1 - scaled, scaled)
    frame = pd.DataFrame(scaled, columns=list(regions))
    frame[ID], frame[TIME] = table[ID].to_numpy(), table[TIME].to_numpy(dtype=float)
    return frame
