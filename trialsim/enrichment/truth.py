"""How fast people truly declined: latent, or measured."""

from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.sources.visit_times.times import MONTHS_PER_YEAR
from cohorts.synthetic.truth import build_latent_cohort
from trialsim.enrichment.definition import FastProgressorDefinition
from trialsim.errors import DesignError


@dataclass(frozen=True)
class TrueDecline:
    """Decline of those in whom it is known; higher = faster.

    Attributes
    ----------
    decline
        Loss until the horizon in the unit of the definition, index `participant_id`.
    annual_decline
        The same per year.
    baseline_volume
        Volume at the start, mm3.
    kind
        "latent" (noise-free, synthetic people only) or "measured".
    n_left_out
        Screened people without a visit near the horizon.
    suffix
        Added to the definition's text; says where the decline starts if not at baseline.
    """

    decline: pd.Series
    annual_decline: pd.Series
    baseline_volume: pd.Series
    kind: Literal["latent", "measured"]
    n_left_out: int
    suffix: str = ""

    def select(self, people: pd.Index) -> "TrueDecline":
        """Return the decline of some of the people.

        Parameters
        ----------
        people
            Those who count.

        Raises
        ------
        DesignError
            Where it is known of none of them.
        """
        known = self.decline.index[self.decline.index.isin(people)]
        if known.empty:
            raise DesignError(
                f"Nobody of the {len(people)} eligible is among the {len(self.decline)} whose "
                "decline is known: name others who were followed, or widen the criteria."
            )
        return replace(
            self,
            decline=self.decline.loc[known],
            annual_decline=self.annual_decline.loc[known],
            baseline_volume=self.baseline_volume.loc[known],
            n_left_out=len(people) - len(known),
        )


def compute_measured_decline(
    cohort: Cohort, definition: FastProgressorDefinition, *, region: str = "hippocampus"
) -> TrueDecline:
    """Return the decline from baseline to the visit nearest the horizon within the window.

    Parameters
    ----------
    cohort
        People without such a visit are left out, and counted.
    definition
        Unit, horizon, window.
    region
        Whose volume.

    Raises
    ------
    DesignError
        Where nobody has a visit near the horizon.
    """
    change = cohort.change(
        region, definition.horizon_months, window_months=definition.window_months
    )
    if change.empty:
        raise DesignError(
            f"Nobody in {cohort.name} has {region} measured at baseline and within "
            f"{definition.window_months:g} months of the horizon of {definition.horizon_months:g} "
            f"months: the latest visit is at {cohort.visits['months_from_baseline'].max():g} "
            "months; choose a horizon at which people were seen."
        )
    return _build(change, definition, len(cohort.participants))


def compute_latent_decline(
    cohort: Cohort,
    latent_volumes: pd.DataFrame,
    definition: FastProgressorDefinition,
    *,
    region: str = "hippocampus",
) -> TrueDecline:
    """Return the noise-free decline of synthetic people, also after they dropped out.

    Parameters
    ----------
    cohort
        The synthetic people.
    latent_volumes
        `volumes` of `cohorts.synthetic.Truth`.
    definition
        Unit, horizon, window.
    region
        Whose volume.

    Raises
    ------
    DesignError
        Where nobody has a true volume near the horizon.
    """
    own = latent_volumes[latent_volumes["region"] == region]
    latent = build_latent_cohort(cohort, latent_volumes if own.empty else own)
    return replace(compute_measured_decline(latent, definition, region=region), kind="latent")


def compute_later_decline(
    cohort: Cohort,
    definition: FastProgressorDefinition,
    *,
    region: str = "hippocampus",
) -> TrueDecline | None:
    """Return the decline from the next visit on, which shares no scan with the selection.

    A person who happens to measure high at baseline seems to decline; selection on the baseline
    scan picks such people, and this decline is free of it (regression to the mean).

    Parameters
    ----------
    cohort
        The people, as measured.
    definition
        Unit, horizon (from baseline), window.
    region
        Whose volume.

    Returns
    -------
    TrueDecline or None
        None where the next visit is already the last one before the horizon.
    """
    next_visit = cohort.visit(1)["months_from_baseline"]
    remaining = definition.horizon_months - next_visit.median()
    if not remaining > definition.window_months:
        return None
    change = cohort.change(
        region, float(remaining), window_months=definition.window_months, from_visit=1
    )
    if change.empty:
        return None
    truth = _build(change, definition, len(cohort.participants))
    return replace(truth, suffix=", from the next visit on")


def _build(
    change: pd.DataFrame, definition: FastProgressorDefinition, n_people: int
) -> TrueDecline:
    table = change.set_index("participant_id")
    decline = -table[f"change_{definition.unit}"]
    return TrueDecline(
        decline=decline,
        annual_decline=decline * MONTHS_PER_YEAR / table["months"],
        # a copy, with which the other columns of the table are not held
        baseline_volume=table["baseline_volume_mm3"].copy(),
        kind="measured",
        n_left_out=n_people - len(table),
    )
