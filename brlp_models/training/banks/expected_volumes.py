"""The context of training pairs as a prediction has it: what an auxiliary model expects.

The true later volumes of a training person would teach a diffusion model to copy its context, since
no prediction ever has them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from brlp_models.auxiliary.files import parse_auxiliary
from brlp_models.auxiliary.huber import HuberAuxiliary
from brlp_models.auxiliary.interface import AuxiliaryModel
from brlp_models.errors import ModelError
from brlp_models.model.config import ModelConfig
from brlp_models.training.banks.pairs import VisitPairs, name_regions
from cohorts.cohort import Cohort
from cohorts.files.atomic import write_file
from cohorts.synthetic.parameters import CohortParameters

CROSS_FITTED: Final = "auxiliary/cross_fitted.json"
N_FOLDS: Final = 5


@dataclass(frozen=True)
class CrossFitted:
    """Auxiliary models, each with the people that it was not fitted on.

    Parameters
    ----------
    folds
        People and the model that may predict them; people None: everyone.
    """

    folds: tuple[tuple[tuple[str, ...] | None, AuxiliaryModel], ...]

    @classmethod
    def fit(
        cls,
        cohort: Cohort,
        regions: tuple[str, ...],
        *,
        covariates: Sequence[str] = (),
        seed: int,
    ) -> "CrossFitted":
        """Fit the one-visit regression on all folds of a training cohort but one, in turn.

        Parameters
        ----------
        cohort
            The training people; volumes in MNI space.
        regions
            Of the context.
        covariates
            Further columns of the regression.
        seed
            Deals people out to folds.
        """
        names = np.array([str(name) for name in cohort.participants["participant_id"]])
        shuffled = np.random.default_rng(seed).permutation(names)
        folds = []
        for k in range(N_FOLDS):
            left_out = set(shuffled[k::N_FOLDS].tolist())
            others = cohort.select([name for name in names if name not in left_out])
            model = HuberAuxiliary.fit(
                others.baseline(),
                others.visit_volumes(regions),
                regions=regions,
                covariates=covariates,
                volume_space="mni",
            )
            folds.append((tuple(sorted(left_out)), model))
        return cls(tuple(folds))

    def write(self, path: Path) -> None:
        """Write all folds as JSON."""
        content = [{"people": people, "model": model.to_dict()} for people, model in self.folds]
        write_file(path, (json.dumps(content, indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> "CrossFitted":
        """Read what `write` wrote.

        Raises
        ------
        ModelError
            Where the file is missing or damaged.
        """
        try:
            content: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ModelError(
                f"The auxiliary models are not fitted yet ({path} is missing); the context of "
                "training is their prediction. Train the stage auxiliary first."
            ) from error
        except ValueError as error:
            raise ModelError(f"{path} is no JSON: {error}.") from error
        return cls(
            tuple(
                (
                    None if fold["people"] is None else tuple(fold["people"]),
                    parse_auxiliary(fold["model"], source=str(path)),
                )
                for fold in content
            )
        )

    def expect(self, start: pd.DataFrame, years: "pd.Series[float]") -> pd.DataFrame:
        """Return the volumes that each row's own model expects.

        Parameters
        ----------
        start
            `participant_id` and, at the earlier visit, the table that auxiliary models read.
        years
            From the earlier to the later visit, by row.

        Returns
        -------
        DataFrame
            mm3 in MNI space by row (as `start`) and region.
        """
        found = [
            _expect(model, start.loc[rows], years.loc[rows]) for rows, model in self._deal(start)
        ]
        return pd.concat(found).reindex(start.index)

    def _deal(self, start: pd.DataFrame) -> Iterator[tuple[pd.Index, AuxiliaryModel]]:
        missing = set(start["participant_id"].astype(str))
        for people, model in self.folds:
            mine = missing if people is None else missing & set(people)
            missing = missing - mine
            rows = start.index[start["participant_id"].astype(str).isin(mine)]
            if len(rows):
                yield rows, model
        if missing:
            raise ModelError(
                f"No auxiliary model was fitted without {sorted(missing)[0]} and "
                f"{len(missing) - 1} more; train the stage auxiliary again."
            )


def tell_expected(
    pairs: VisitPairs,
    index: pd.DataFrame,
    config: ModelConfig,
    auxiliary: CrossFitted,
    *,
    measurement_sd: Mapping[str, float],
    seed: int,
) -> VisitPairs:
    """Return pairs whose context holds what is expected at the later visit, not what was there.

    Parameters
    ----------
    pairs
        Of `build_visit_pairs` or `build_single_visits`.
    index
        The bank's, by row.
    config
        Its context names the regions.
    auxiliary
        Predicts each person without having seen them.
    measurement_sd
        Relative sd of the error that measuring a baseline volume adds, for banks that hold the
        truth; empty for measured volumes.
    seed
        Of that error, one a scan and region.
    """
    regions = name_regions(config)
    measured = index.copy()
    rng = np.random.default_rng([seed, 11])
    for region in regions:
        error = rng.normal(0, measurement_sd.get(region, 0.0), len(measured))
        measured[f"{region}_mm3"] = measured[f"{region}_mm3"] * np.exp(error)
    start = measured.loc[pairs.rows[:, 0]].reset_index(drop=True)
    later = index.loc[pairs.rows[:, 1], "age_years"].to_numpy(float)
    expected = auxiliary.expect(start, later - start["age_years"])
    values = pairs.values.copy()  # noqa: PD011
    for region in regions:
        told = {
            "volume": expected[region],
            "change": expected[region] - start[f"{region}_mm3"],
            "baseline": start[f"{region}_mm3"],
        }
        for kind, column in told.items():
            if f"{kind}:{region}" in values:
                values[f"{kind}:{region}"] = column.to_numpy(float)
    return replace(pairs, values=values)


def find_measurement_sd(index: pd.DataFrame) -> dict[str, float]:
    """Return the measurement error that a bank's volumes lack: that of synthetic people's truth."""
    if "base_anatomy" not in index:
        return {}
    return {region.region: region.measurement_sd for region in CohortParameters().regions}


def _expect(model: AuxiliaryModel, start: pd.DataFrame, years: "pd.Series[float]") -> pd.DataFrame:
    """Return one model's volumes, each row at an interval of its own."""
    parts = []
    for months, rows in (12 * years).round(6).groupby(12 * years.round(6)).groups.items():
        long = model.predict_volumes(start.loc[rows], horizons_months=[float(str(months))])
        wide = long.pivot_table(index="participant_id", columns="region", values="volume_mm3")
        parts.append(wide.rename_axis(columns=None))
    return pd.concat(parts)
