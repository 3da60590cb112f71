"""What a study holds for the explorer."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from cohorts.sources.columns import name_volume_column
from reports.page.masking import Mask, make_mask, mask_table
from reports.store.study import Study
from trialsim.comparison.refitting import widen_scores
from trialsim.errors import DesignError
from trialsim.explorer.scenario import StudySource
from trialsim.study.protocol import Protocol
from trialsim.study.result import StudyResult
from trialsim.study.steps.cohort import read_cohort


@dataclass(frozen=True)
class Contents:
    """A study file, read for looking at.

    Attributes
    ----------
    path
        The study file.
    is_identified
        Whether people and sites keep their names; otherwise they are numbered.
    """

    path: Path
    is_identified: bool = False

    def __post_init__(self) -> None:
        with self.study.snapshot():
            missing = [name for name in ("scores", "pool_moments") if not self.has(name)]
            has_trial = self.has_trial
        if missing and not has_trial:
            raise DesignError(
                f"The study {self.path} holds no {' and no '.join(missing)}: `trialsim power` "
                "makes what is explored."
            )

    @cached_property
    def result(self) -> StudyResult:
        """The study, open for reading."""
        return StudyResult(self.path)

    @property
    def study(self) -> Study:
        """The study file."""
        return self.result.study

    @cached_property
    def protocol(self) -> Protocol:
        """What was asked of the study last."""
        return self.result.protocol

    @property
    def title(self) -> str:
        """The study's; of an analysis alone, which asks no protocol, what it is."""
        planned = self.has_choices or self.has("looks")
        return self.protocol.study.title if planned else "A finished trial"

    @cached_property
    def source(self) -> StudySource:
        """The moments of its choices."""
        return StudySource.read(self.study.read("pool_moments"))

    @cached_property
    def sizes(self) -> pd.DataFrame:
        """Its simulated sample sizes."""
        return self.study.read("sample_sizes")

    @cached_property
    def proposed(self) -> tuple[str, float] | None:
        """The strategy and fraction that the study proposes for the first analysis, if any."""
        if not self.has("proposed_sizes"):
            return None
        rows = self.study.read("proposed_sizes").to_dict("records")
        of = {
            row["analysis"]: (str(row["strategy"]), float(row["fraction_enrolled"])) for row in rows
        }
        return next((of[name] for name in self.protocol.design.analyses if name in of), None)

    @cached_property
    def strategies(self) -> list[str]:
        """The strategies that scored people."""
        return [str(name) for name in self.study.read("scores")["strategy"].unique()]

    @cached_property
    def mask(self) -> Mask:
        """What is not shown where people are not identified."""
        known = self.study.read("participants") if self.has("participants") else pd.DataFrame()
        return make_mask(self.study, known)

    def read(self, table: str) -> pd.DataFrame:
        """Return a table as it is shown: names of sites and people only where these are asked for.

        Parameters
        ----------
        table
            Its name.
        """
        found = self.study.read(table)
        return found if self.is_identified else mask_table(found, self.mask)

    def has(self, table: str) -> bool:
        """Whether the study holds rows of a table."""
        return self.study.has(table)

    @property
    def has_choices(self) -> bool:
        """Whether there are choices of people to look at."""
        return self.has("scores") and self.has("pool_moments")

    @property
    def has_trial(self) -> bool:
        """Whether looks were planned, or a finished trial was analysed."""
        return any(self.has(name) for name in ("looks", "trial_effects", "twin_outcomes"))

    @cached_property
    def people(self) -> pd.DataFrame:
        """One row a person: who, what is known at baseline, a score a strategy.

        The index is the participant's id, which is shown only where people are identified.
        """
        scores = widen_scores(self.study.read("scores"))
        known = read_cohort(self.study).baseline()
        wanted = [
            "age_years",
            "sex",
            "diagnosis",
            name_volume_column(self.protocol.design.endpoint),
        ]
        table = known[[name for name in wanted if name in known]].join(scores, how="right")
        numbered = [f"person {place}" for place in np.arange(len(table)) + 1]
        names = list(table.index) if self.is_identified else numbered
        table.insert(0, "person", names)
        return table

    @cached_property
    def searched(self) -> list[frozenset[str]]:
        """The words by which each person is found, in the order of `people`."""
        named = [name for name in ("person", "sex", "diagnosis") if name in self.people]
        columns = [self.people[name].astype("str").fillna("").str.lower() for name in named]
        return [frozenset(" ".join(words).split()) for words in zip(*columns, strict=True)]

    @cached_property
    def changes(self) -> pd.DataFrame:
        """Predicted change to the last horizon in percent of each person, with 95 % interval."""
        table = self.predictions
        if table.empty:
            return pd.DataFrame(index=self.people.index)
        last = table[table["horizon_months"] == table["horizon_months"].max()]
        last = last.drop_duplicates("participant_id").set_index("participant_id")
        start = last["baseline_volume_mm3"]
        half = 196 * last["volume_sd_mm3"] / start
        change = 100 * (last["volume_mm3"] / start - 1)
        return pd.DataFrame(
            {"predicted_percent": change, "lower": change - half, "upper": change + half}
        )

    @cached_property
    def seen(self) -> frozenset[str]:
        """The participants whose predicted scans are there."""
        if not self.has("prediction_images"):
            return frozenset()
        return frozenset(map(str, self.study.read("prediction_images")["participant_id"]))

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Predicted volumes of the endpoint's region; no rows where nothing was predicted."""
        if not self.has("predictions"):
            return pd.DataFrame()
        table = self.study.read("predictions")
        return table[table["region"] == self.protocol.design.endpoint]
