"""The context of a person's predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from brlp_models.auxiliary.files import load_auxiliary
from brlp_models.auxiliary.interface import AuxiliaryModel
from brlp_models.auxiliary.told import ToldRatios
from brlp_models.errors import ModelError
from brlp_models.model.config import ModelConfig
from brlp_models.model.config_checks import AUXILIARY
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.start import StartVisit, as_mapping
from brlp_models.scans.cache import ScanCache
from cohorts.cohort import Cohort

ONE_VISIT, SEVERAL_VISITS = AUXILIARY
_FROM_AUXILIARY = ("volume:", "change:")


@dataclass(frozen=True)
class AuxiliaryModels:
    """The auxiliary models of a model folder, by what they use: one visit, or several."""

    models: Mapping[str, AuxiliaryModel]

    @classmethod
    def load(cls, model: BrlpModel) -> "AuxiliaryModels":
        """Read the auxiliary models that the configuration names."""
        folder = model.folder
        if folder is None:
            return cls({})
        files = model.config.auxiliary.items()
        return cls({name: load_auxiliary(folder / path) for name, path in files})

    def tell(self, ratios: "pd.Series[float]", *, lead: str) -> "AuxiliaryModels":
        """Return auxiliary models that are told some regions' ratios, see `ToldRatios`."""
        own: Mapping[str, AuxiliaryModel | None] = self.models or {ONE_VISIT: None}
        told = {name: ToldRatios(ratios, model, lead) for name, model in own.items()}
        return AuxiliaryModels(told)

    def choose(self, n_visits: int) -> AuxiliaryModel:
        """Return the model for a person with so many visits; the other one stands in."""
        order = (ONE_VISIT, SEVERAL_VISITS) if n_visits == 1 else (SEVERAL_VISITS, ONE_VISIT)
        found = [self.models[name] for name in order if name in self.models]
        if not found:
            raise ModelError(
                "The model's context needs predicted volumes; its folder has no auxiliary model."
            )
        return found[0]


class EndpointSource(Protocol):
    """Whatever expects the change of a person's endpoint in place of the auxiliary model."""

    @property
    def identity(self) -> str:
        """What it is called, and of which content it is; predictions are kept apart by it."""
        ...

    def check(
        self, config: ModelConfig, *, horizons_months: Sequence[float], until_months: float
    ) -> None:
        """Raise `ModelError` where it cannot tell a model's context of these months."""
        ...

    def expect_ratios(
        self,
        model: BrlpModel,
        person: Cohort,
        cache: ScanCache,
        horizons_months: Sequence[float],
    ) -> "pd.Series[float]":
        """Return the endpoint's later over baseline volume of a cohort of one, see `ToldRatios`.

        Raises
        ------
        ModelError
            Where it expects nothing of this person.
        """
        ...


def build_context_values(
    config: ModelConfig,
    auxiliary: AuxiliaryModels,
    person: Cohort,
    start: StartVisit,
    *,
    determinant: float,
    horizons_months: Sequence[float],
) -> pd.DataFrame:
    """Return the raw values of the context, one row per horizon.

    Parameters
    ----------
    config
        Says which values are needed.
    auxiliary
        Predict the volumes at the target age.
    person
        A cohort of one, whose volumes hold the starting visit.
    start
        The starting visit; later ones are not looked at.
    determinant
        Takes native volumes to MNI space, where the context has them.
    horizons_months
        Months after baseline.

    Raises
    ------
    ModelError
        Where a covariate or a volume is missing.
    """
    seen = person.until(start.months)
    table = person.baseline()
    row = table.iloc[0]
    ages = float(row["age_years"]) + pd.Series(list(horizons_months), dtype=float) / 12
    values = pd.DataFrame({"age": ages, "baseline_age": start.age_years})
    values["interval"] = values["age"] - values["baseline_age"]
    values["age_years"], values["interval_years"] = values["age"], values["interval"]
    for name in {*config.training_ranges, *(entry.name for entry in config.context)}:
        if name in row.index and name not in values:
            values[name] = row[name]
    baseline = as_mapping(person.volumes_of(start.participant_id, start.session_id))
    for entry in config.context:
        if entry.name.startswith("baseline:"):
            values[entry.name] = baseline.get(entry.name.split(":")[1], float("nan")) * determinant
    if any(entry.name.startswith(_FROM_AUXILIARY) for entry in config.context):
        model = auxiliary.choose(len(seen.visits))
        scale = determinant if model.volume_space == "mni" else 1.0
        predicted = _predict(model, table, seen, scale, horizons_months)
        _add_predicted(values, config, predicted * (determinant / scale), baseline, determinant)
    values.index = pd.Index([f"{start.participant_id} (month {h:g})" for h in horizons_months])
    return values


def list_told_volumes(
    config: ModelConfig,
    values: pd.DataFrame,
    measured: Mapping[str, float],
    *,
    determinant: float,
) -> list[dict[str, float]]:
    """Return the later volumes that the context tells, one mapping of regions a row.

    Parameters
    ----------
    config
        Says what the context holds.
    values
        Of `build_context_values`.
    measured
        Volumes (native mm3) of the starting visit.
    determinant
        As in `build_context_values`.

    Returns
    -------
    list of dict
        Native mm3, of regions that are measured at the start.
    """
    told: dict[str, pd.Series[float]] = {}
    for entry in config.context:
        kind, _, region = entry.name.partition(":")
        if kind not in ("volume", "change") or region not in measured or entry.name not in values:
            continue
        if kind == "volume":
            told[region] = values[entry.name] / determinant
        else:
            told.setdefault(region, measured[region] + values[entry.name] / determinant)
    return [
        {str(k): float(v) for k, v in row.items()}
        for row in pd.DataFrame(told, index=values.index).to_dict("records")
    ]


def _predict(
    model: AuxiliaryModel,
    table: pd.DataFrame,
    seen: Cohort,
    scale: float,
    horizons_months: Sequence[float],
) -> pd.DataFrame:
    visits = seen.visit_volumes(model.regions)
    visits[[*model.regions]] *= scale
    measured = [column for column in map(str, table.columns) if column.endswith("_mm3")]
    long = model.predict_volumes(
        table.assign(**{column: table[column] * scale for column in measured}),
        horizons_months=list(horizons_months),
        visits=visits,
    )
    wide = long.pivot_table(index="horizon_months", columns="region", values="volume_mm3")
    return wide.loc[[float(h) for h in horizons_months]].reset_index(drop=True)


def _add_predicted(
    values: pd.DataFrame,
    config: ModelConfig,
    predicted: pd.DataFrame,
    baseline: Mapping[str, float],
    determinant: float,
) -> None:
    for entry in config.context:
        kind, _, region = entry.name.partition(":")
        if region not in predicted:
            continue
        if kind == "volume":
            values[entry.name] = predicted[region]
        elif kind == "change":
            start = baseline.get(region, float("nan")) * determinant
            values[entry.name] = predicted[region] - start
