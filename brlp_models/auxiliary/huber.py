"""Huber regression of regional volumes at a later age on one visit's table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from brlp_models.auxiliary.covariates import CovariateCoding
from brlp_models.auxiliary.interface import tabulate_predictions
from brlp_models.errors import ModelError
from cohorts.schema import CONTEXT_REGIONS

BASE_COVARIATES = ("age_years", "sex", "diagnosis")


@dataclass(frozen=True)
class HuberAuxiliary:
    r"""Change of each region, linear in baseline covariates and in time.

    .. math:: V_r(h) = V_r(0) + a_r^T x + \tfrac{h}{12}\, b_r^T x

    with *x* the coded baseline covariates (age, sex, diagnosis at baseline, baseline volumes,
    further covariates) and *h* in months. The first term is the return of a noisy baseline to its
    expectation; it is dropped where training people were followed over too few distinct intervals
    to tell it from the rate. Fitted by Huber's M-estimator (k = 1.345).

    The residual sd grows with the horizon, :math:`s_r(h)^2 = s_{r0}^2 + (h/12)^2 s_{r1}^2`.

    Parameters
    ----------
    regions
        Regions that are predicted.
    coding
        Coding of the covariates.
    level_coefficients, rate_coefficients
        *a* (mm3) and *b* (mm3 a year), shape (n_regions, n_columns).
    residual_variances
        :math:`s_{r0}^2` and :math:`s_{r1}^2`, shape (n_regions, 2).
    volume_space
        ``"native"`` or ``"mni"``.
    measured_by
        The tool that measured the training volumes; None where that is not recorded.
    """

    kind: ClassVar[str] = "huber"

    regions: tuple[str, ...]
    coding: CovariateCoding
    level_coefficients: NDArray[np.float64]
    rate_coefficients: NDArray[np.float64]
    residual_variances: NDArray[np.float64]
    volume_space: str = "native"
    measured_by: str | None = None

    @classmethod
    def fit(
        cls,
        baseline_table: pd.DataFrame,
        visits: pd.DataFrame,
        *,
        regions: Sequence[str] = CONTEXT_REGIONS,
        covariates: Sequence[str] = (),
        volume_space: str = "native",
    ) -> "HuberAuxiliary":
        """Fit on every follow-up visit of the training people.

        Parameters
        ----------
        baseline_table
            Training people, index participant_id (`Cohort.baseline`).
        visits
            What was measured at their visits (`Cohort.visit_volumes` of the regions).
        regions
            Regions to predict; their baseline volumes are covariates of every region.
        covariates
            Further columns of the baseline table, such as ``"apoe4"``.
        volume_space
            Whether the volumes are ``"native"`` mm3 or ``"mni"``.

        Raises
        ------
        ModelError
            Where a column is missing, or there are fewer follow-up visits than coefficients.
        """
        names = [*BASE_COVARIATES, *(f"{region}_mm3" for region in regions), *covariates]
        coding = CovariateCoding.fit(baseline_table, names)
        complete = baseline_table[list(coding.names)].notna().all(axis=1)
        table = baseline_table[complete]
        followups = find_followups(visits, regions)
        followups = followups[followups.index.isin(table.index)]
        columns = coding.encode(table)
        x = columns[table.index.get_indexer(followups.index)]
        years = followups["months_from_baseline"].to_numpy(dtype=float) / 12
        design = _build_design(x, years)
        if len(followups) < 2 * design.shape[1]:
            raise ModelError(
                f"The auxiliary regression has {design.shape[1]} coefficients a region and needs "
                f"at least {2 * design.shape[1]} follow-up visits with volumes of "
                f"{', '.join(regions)}, got {len(followups)}."
            )
        start = table.loc[followups.index, [f"{region}_mm3" for region in regions]].to_numpy(float)
        change = followups[list(regions)].to_numpy(float) - start
        coefficients = np.stack([_fit_huber(design, column) for column in change.T])
        residuals = change - design @ coefficients.T
        n = x.shape[1]
        has_level = design.shape[1] > n
        return cls(
            regions=tuple(regions),
            coding=coding,
            level_coefficients=coefficients[:, n:] if has_level else 0 * coefficients,
            rate_coefficients=coefficients[:, :n],
            residual_variances=np.stack(
                [_fit_variances(column, years, design.shape[1]) for column in residuals.T]
            ),
            volume_space=volume_space,
        )

    def predict_volumes(
        self,
        baseline_table: pd.DataFrame,
        *,
        horizons_months: Sequence[float],
        visits: pd.DataFrame | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """Return the expected volumes; see `AuxiliaryModel.predict_volumes`.

        Visits beyond the baseline row are not used.
        """
        x = self.coding.encode(baseline_table)
        years = np.asarray(horizons_months, dtype=float) / 12
        start = baseline_table[[f"{region}_mm3" for region in self.regions]].to_numpy(float)
        level = start + x @ self.level_coefficients.T
        rate = x @ self.rate_coefficients.T
        predicted = level[:, None] + years[None, :, None] * rate[:, None]
        variances = self.residual_variances @ np.stack([np.ones_like(years), years**2])
        sds = np.broadcast_to(np.sqrt(variances).T, predicted.shape)
        return tabulate_predictions(
            baseline_table.index, horizons_months, self.regions, predicted.clip(min=0), sds
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON content."""
        return {
            "kind": self.kind,
            "regions": list(self.regions),
            "volume_space": self.volume_space,
            "measured_by": self.measured_by,
            "coding": self.coding.to_dict(),
            "level_coefficients": self.level_coefficients.tolist(),
            "rate_coefficients": self.rate_coefficients.tolist(),
            "residual_variances": self.residual_variances.tolist(),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "HuberAuxiliary":
        """Build the model from JSON content."""
        return cls(
            regions=tuple(content["regions"]),
            coding=CovariateCoding.from_dict(content["coding"]),
            level_coefficients=np.asarray(content["level_coefficients"], dtype=float),
            rate_coefficients=np.asarray(content["rate_coefficients"], dtype=float),
            residual_variances=np.asarray(content["residual_variances"], dtype=float),
            volume_space=content["volume_space"],
            measured_by=content.get("measured_by"),
        )


def find_followups(visits: pd.DataFrame, regions: Sequence[str]) -> pd.DataFrame:
    """Return one row a follow-up visit with all regions measured, index participant_id.

    Columns: months_from_baseline (above 0) and a volume in mm3 under each region's name.
    """
    later = visits[visits["months_from_baseline"] > 0]
    columns = ["participant_id", "months_from_baseline", *regions]
    return later[columns].dropna().set_index("participant_id")


def _build_design(x: NDArray[np.float64], years: NDArray[np.float64]) -> NDArray[np.float64]:
    rate = years[:, None] * x
    if len(np.unique(np.round(2 * years))) < 3:
        return rate
    return np.hstack([rate, x])


def _fit_huber(design: NDArray[np.float64], change: NDArray[np.float64]) -> NDArray[np.float64]:
    import statsmodels.api as sm

    fitted = sm.RLM(change, design, M=sm.robust.norms.HuberT()).fit()
    return np.asarray(fitted.params, dtype=float)


def _fit_variances(
    residuals: NDArray[np.float64], years: NDArray[np.float64], n_coefficients: int
) -> NDArray[np.float64]:
    """Return the two non-negative variance components of squared residuals on 1 and years^2.

    Plain squares, since the sd must describe the people in the tails too.
    """
    squares = residuals**2 * len(residuals) / (len(residuals) - n_coefficients)
    components, _ = nnls(np.column_stack([np.ones_like(years), years**2]), squares)
    return np.asarray(components, dtype=float)
