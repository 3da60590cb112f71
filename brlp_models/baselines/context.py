"""A baseline that tells a model's context how the endpoint changes, as one that reads the scan."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from brlp_models.auxiliary.covariates import CovariateCoding
from brlp_models.baselines.baseline import Baseline, interpolate_change
from brlp_models.baselines.loading import load_baseline
from brlp_models.baselines.people import REGION
from brlp_models.baselines.scoring import (
    predict_own_changes,
    read_baseline_scans,
    refuse_other_grid,
)
from brlp_models.errors import ModelError
from brlp_models.model.config import ModelConfig
from brlp_models.model.files import CHECKSUMS
from brlp_models.model.model import BrlpModel
from brlp_models.scans.cache import ScanCache
from cohorts.cohort import Cohort
from cohorts.files.atomic import compute_sha256


@dataclass(frozen=True)
class ContextBaseline:
    """A baseline in the place of the auxiliary model, for the endpoint alone.

    The diffusion follows what its context is told; an auxiliary model reads tables alone, and so
    a scan helps it only where what was read in the scan is told.

    Parameters
    ----------
    baseline
        From the baseline visit it expects a percent change.
    identity
        Its name, and the first digits of the SHA-256 of its folder's checksums.
    """

    baseline: Baseline
    identity: str

    @classmethod
    def load(cls, source: Path) -> "ContextBaseline":
        """Read and verify a baseline's folder, or the bundled `image_regression`.

        Raises
        ------
        ModelError
            As `load_baseline`; also for a baseline that makes an image.
        """
        found = load_baseline(source)
        name = found.config.name
        if not isinstance(found, Baseline) or found.folder is None:
            raise ModelError(
                f"{name} makes an image of the later visit; the context takes a baseline that "
                "expects a change, such as image_regression or elastic_net."
            )
        return cls(found, f"{name}-{compute_sha256(found.folder / CHECKSUMS)[:12]}")

    def describe(self) -> str:
        """Return the sentence that says whose expectation the context holds."""
        return (
            f"In the model's context the {REGION} is what {self.identity} expects, in place of the "
            "auxiliary model."
        )

    def check(
        self, config: ModelConfig, *, horizons_months: Sequence[float], until_months: float
    ) -> None:
        """Raise `ModelError` where it cannot tell a model's context of these months.

        Parameters
        ----------
        config
            The model's.
        horizons_months, until_months
            As in `predict_cohort`.
        """
        own = self.baseline.config
        if until_months > 0:
            raise ModelError(
                f"{own.name} reads the baseline visit alone, so that a context from it needs "
                f"until_months 0, got {until_months:g}."
            )
        own.check_horizons(horizons_months)
        told = {f"volume:{REGION}", f"change:{REGION}"} & {entry.name for entry in config.context}
        if config.endpoint != REGION or not told:
            raise ModelError(
                f"{own.name} expects the {REGION}, and the context of the model {config.name} "
                f"holds no later volume of it as its endpoint: it cannot be told."
            )
        refuse_other_grid(own.get_grid(), config)

    @classmethod
    def load_for(
        cls, source: Path | None, config: ModelConfig, people: Cohort, months: Sequence[float]
    ) -> "ContextBaseline | None":
        """Return what is to tell a model's context of some people; None where nothing is given.

        Raises
        ------
        ModelError
            As `load`, `check` and `count_own_people`.
        """
        if source is None:
            return None
        found = cls.load(source)
        found.check(config, horizons_months=months, until_months=0.0)
        found.count_own_people(people, months)
        return found

    def count_own_people(self, people: Cohort, horizons_months: Sequence[float]) -> int:
        """Return of how many people it tells what was fitted without them, as it learned from them.

        Raises
        ------
        ModelError
            As `predict_own_changes`.
        """
        return len(predict_own_changes(self.baseline, people, horizons_months=horizons_months))

    def expect_ratios(
        self,
        model: BrlpModel,
        person: Cohort,
        cache: ScanCache,
        horizons_months: Sequence[float],
    ) -> "pd.Series[float]":
        """Return the hippocampus's later over baseline volume of a cohort of one.

        Parameters
        ----------
        model, cache
            As in `predict_changes`.
        person
            With the volumes of the baseline visit.
        horizons_months
            Between those that the baseline was fitted for, or they themselves.

        Raises
        ------
        ModelError
            Where the scan cannot be read, or the table lacks something.
        """
        config, table = self.baseline.config, person.baseline()
        change = predict_own_changes(self.baseline, person, horizons_months=horizons_months)
        if change.empty:
            images = None
            if self.baseline.reads_scans:
                found, problems = read_baseline_scans(model, config.get_grid(), person, cache)
                if problems:
                    raise ModelError(*(f"{config.name}: {text}" for text in problems.values()))
                images = found.values()
            fitted = self.baseline.predict_change(table, images, model=model)
            change = interpolate_change(fitted, horizons_months)
        if change.isna().any(axis=None):
            needed = ", ".join(CovariateCoding.from_dict(config.coding).names)
            raise ModelError(
                f"{config.name} reads {needed}; the baseline of {table.index[0]} lacks one of them "
                "or has a value that training did not know."
            )
        ratios = (1 + change.iloc[0] / 100).clip(lower=0)
        key = pd.MultiIndex.from_product(
            [table.index, change.columns, [REGION]],
            names=["participant_id", "horizon_months", "region"],
        )
        return pd.Series(ratios.to_numpy(float), index=key)
