"""Auxiliary models: the regional volumes that a person is expected to have at a later age.

Their predictions are the volumes of the diffusion model's context, and a predictor of their own.
Only baseline information enters: covariates and diagnosis at baseline, and visits that the caller
gives (for the published several-visit setting).
"""

from collections.abc import Sequence
from typing import Any, Protocol

import pandas as pd

PREDICTION_COLUMNS = (
    "participant_id",
    "horizon_months",
    "region",
    "volume_mm3",
    "volume_sd_mm3",
)


class AuxiliaryModel(Protocol):
    """Anything that predicts regional volumes from a person's table.

    `regions` are the regions that it predicts; `volume_space` says whether its volumes are
    ``"native"`` mm3 or ``"mni"`` (native mm3 times the determinant of the affine to MNI space), for
    the input and for the output alike; `measured_by` names the tool that measured those it was
    fitted on.
    """

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that are predicted."""
        ...

    @property
    def volume_space(self) -> str:
        """``"native"`` or ``"mni"``."""
        ...

    @property
    def measured_by(self) -> str | None:
        """The tool of the training volumes; None where that is not recorded."""
        ...

    def predict_volumes(
        self,
        baseline_table: pd.DataFrame,
        *,
        horizons_months: Sequence[float],
        visits: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """Return the expected volumes of every person at every horizon.

        Parameters
        ----------
        baseline_table
            One row a person, index participant_id: age_years, sex (F/M), diagnosis (CN/MCI/AD),
            all at baseline, `<region>_mm3` at the baseline visit, and further covariates.
        horizons_months
            Months after the baseline visit.
        visits
            What was measured at the visits that a prediction may use (`Cohort.visit_volumes` of
            `regions`), for models of several visits; the baseline row alone when None.

        Returns
        -------
        pandas.DataFrame
            participant_id, horizon_months, region, volume_mm3, volume_sd_mm3. The sd is that of a
            measured volume around the prediction. People in the table's order, then horizons,
            then regions.

        Raises
        ------
        ModelError
            Every missing or unusable covariate, with the people it concerns.
        """
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the model as JSON content; its `kind` says which class reads it."""
        ...


def tabulate_predictions(
    people: pd.Index,
    horizons_months: Sequence[float],
    regions: Sequence[str],
    volumes_mm3: Any,
    sds_mm3: Any,
) -> pd.DataFrame:
    """Return arrays (n_people, n_horizons, n_regions) as the long table of predictions."""
    index = pd.MultiIndex.from_product(
        [people, [float(months) for months in horizons_months], list(regions)],
        names=["participant_id", "horizon_months", "region"],
    )
    columns = {"volume_mm3": volumes_mm3.reshape(-1), "volume_sd_mm3": sds_mm3.reshape(-1)}
    return pd.DataFrame(columns, index=index).reset_index()
