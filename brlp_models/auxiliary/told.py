"""An auxiliary model that is told how some regions change, by whatever knows it better."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from brlp_models.auxiliary.interface import (
    PREDICTION_COLUMNS,
    AuxiliaryModel,
    tabulate_predictions,
)

LEAST_EXPECTED: Final = 0.005
"""Loss of the lead, log scale, that counts as expected at least: less says nothing of pace."""

FASTEST: Final = 5.0
"""No untold region goes further than so many times what is expected of it."""

_LEAST_LEFT: Final = 1e-6


@dataclass(frozen=True)
class ToldRatios:
    """An auxiliary model told later over baseline volume; another one expects the other regions.

    A measured baseline volume is multiplied by the ratio, which is the same in native and in MNI
    space. The change in the context is then the told one, free of the baseline's measurement error.

    Regions that are not told keep pace with the lead: where it loses f times what the other model
    expects of it, on the log scale, they change f times as much as expected too, f from 0 to
    `FASTEST`. A disease moves regions together; told of a fast hippocampus and a slow ventricle, a
    diffusion model shows something between the two.

    Parameters
    ----------
    ratios
        Later volume over baseline volume, index `participant_id`, `horizon_months`, `region`.
    others
        Expects the regions that are not told; None where only told ones are known.
    lead
        The told region whose pace the untold ones keep; where it is not told, or the other model
        does not expect it, they stay as expected.

    Examples
    --------
    >>> key = pd.MultiIndex.from_tuples(
    ...     [("sub-1", 24.0, "hippocampus")], names=["participant_id", "horizon_months", "region"]
    ... )
    >>> person = pd.DataFrame({"hippocampus_mm3": [7000.0]}, index=["sub-1"])
    >>> told = ToldRatios(pd.Series([0.9], index=key))
    >>> told.predict_volumes(person, horizons_months=[24])["volume_mm3"].tolist()
    [6300.0]
    """

    ratios: "pd.Series[float]"
    others: AuxiliaryModel | None = None
    lead: str | None = None

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that are expected, those of the other model first."""
        told = self.ratios.index.get_level_values("region")
        own = () if self.others is None else self.others.regions
        return tuple(dict.fromkeys((*own, *told)))

    @property
    def volume_space(self) -> str:
        """That of the other model; a ratio has none."""
        return "native" if self.others is None else self.others.volume_space

    @property
    def measured_by(self) -> str | None:
        """The tool of the other model's training volumes."""
        return None if self.others is None else self.others.measured_by

    def predict_volumes(
        self,
        baseline_table: pd.DataFrame,
        *,
        horizons_months: Sequence[float],
        visits: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """Return the measured baseline volumes times the told ratios, and the others as expected.

        See `AuxiliaryModel.predict_volumes`. A told volume has an sd of 0, and is NaN for people
        and horizons without a ratio.
        """
        told = self._multiply(baseline_table, horizons_months)
        if self.others is None:
            return told
        expected = self.others.predict_volumes(
            baseline_table, horizons_months=horizons_months, visits=visits
        )
        untold = self._keep_pace(expected, told, baseline_table)
        joined = pd.concat([untold, told]).set_index(list(PREDICTION_COLUMNS[:3]))
        there = set(joined.index.get_level_values("region"))
        order = pd.MultiIndex.from_product(
            [
                baseline_table.index,
                [float(month) for month in horizons_months],
                [region for region in self.regions if region in there],
            ],
            names=joined.index.names,
        )
        return joined.reindex(order).reset_index()

    def _keep_pace(
        self, expected: pd.DataFrame, told: pd.DataFrame, baseline_table: pd.DataFrame
    ) -> pd.DataFrame:
        """Return what is expected of the untold regions, at the pace that the lead is told to have.

        NaN for people and horizons whose lead is not told.
        """
        untold = expected[~expected["region"].isin(told["region"])]
        leads = {*told["region"]} & {*expected["region"]}
        if self.lead not in leads:
            return untold
        visit = list(PREDICTION_COLUMNS[:2])
        wanted = pd.MultiIndex.from_frame(untold[visit])
        start = baseline_table[f"{self.lead}_mm3"].astype(float)
        loss = {}
        for name, table in (("told", told), ("expected", expected)):
            own = table[table["region"] == self.lead].set_index(visit)["volume_mm3"]
            left = own.div(start, level="participant_id").reindex(wanted).to_numpy(float)
            loss[name] = -np.log(np.maximum(left, _LEAST_LEFT))
        pace = np.clip(loss["told"] / np.maximum(loss["expected"], LEAST_EXPECTED), 0, FASTEST)
        measured = pd.Index([f"{region}_mm3" for region in untold["region"]])
        people = baseline_table.index.get_indexer(pd.Index(untold["participant_id"]))
        columns = baseline_table.columns.get_indexer(measured)
        first = baseline_table.to_numpy(object)[people, columns].astype(float)
        changed = first * (untold["volume_mm3"].to_numpy(float) / first) ** pace
        return untold.assign(volume_mm3=changed)

    def _multiply(
        self, baseline_table: pd.DataFrame, horizons_months: Sequence[float]
    ) -> pd.DataFrame:
        known = dict.fromkeys(self.ratios.index.get_level_values("region"))
        regions = [region for region in known if f"{region}_mm3" in baseline_table]
        start = baseline_table[[f"{region}_mm3" for region in regions]].to_numpy(float)
        wanted = pd.MultiIndex.from_product(
            [baseline_table.index, [float(month) for month in horizons_months], regions]
        )
        shape = (len(start), len(horizons_months), len(regions))
        ratios = np.asarray(self.ratios.reindex(wanted), dtype=float).reshape(shape)
        volumes = start[:, None] * ratios
        return tabulate_predictions(
            baseline_table.index, horizons_months, regions, volumes, np.zeros_like(volumes)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what describes it."""
        return {"kind": "told_ratios", "regions": list(self.regions)}
