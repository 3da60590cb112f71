"""What a model has to fulfil at a site, stated in TOML before anybody is predicted."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from brlp_models.errors import ModelError, list_wrong_values

Span = tuple[float, float]


class ValidationPlan(BaseModel):
    """What a model has to fulfil at a site, stated before anybody is predicted.

    Parameters
    ----------
    stated_by, stated_on
        Who stated it, and when.
    horizon_months, region
        Of the changes that are judged.
    calibration_slope
        Lowest and highest slope of the true on the predicted percent change; 1 is perfect.
    coverage_95
        Lowest and highest share of people within their 95 % interval.
    spearman
        Least rank correlation of predicted and true change.
    spearman_gain
        Least gain in it over the regression on the baseline table.
    refused_share
        Largest share of people with a baseline scan who cannot be predicted: the input check
        refuses the scan, or something that the model reads is missing.
    false_atrophy_percent
        Largest mean change, up or down, measured between two scans at most `retest_months` apart.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    stated_by: Annotated[str, Field(min_length=1)]
    stated_on: date
    horizon_months: Annotated[float, Field(gt=0)]
    region: str = "hippocampus"
    retest_months: Annotated[float, Field(gt=0)] = 1.0
    calibration_slope: Span | None = None
    coverage_95: Span | None = None
    spearman: Annotated[float, Field(ge=-1, le=1)] | None = None
    spearman_gain: Annotated[float, Field(ge=-2, le=2)] | None = None
    refused_share: Annotated[float, Field(ge=0, le=1)] | None = None
    false_atrophy_percent: Annotated[float, Field(gt=0)] | None = None

    @property
    def limits(self) -> dict[str, Span]:
        """Lowest and highest value of each stated criterion."""
        inf = float("inf")
        spans = {
            "calibration_slope": self.calibration_slope,
            "coverage_95": self.coverage_95,
            "spearman": None if self.spearman is None else (self.spearman, inf),
            "spearman_gain": None if self.spearman_gain is None else (self.spearman_gain, inf),
            "refused_share": None if self.refused_share is None else (-inf, self.refused_share),
            "false_atrophy_percent": None
            if self.false_atrophy_percent is None
            else (-self.false_atrophy_percent, self.false_atrophy_percent),
        }
        return {name: span for name, span in spans.items() if span is not None}

    @model_validator(mode="after")
    def _check_limits(self) -> "ValidationPlan":
        if not self.limits:
            raise ValueError("state at least one criterion, for example spearman = 0.3")
        for name, (low, high) in self.limits.items():
            if low >= high:
                raise ValueError(f"{name} = [lowest, highest] must rise, got [{low:g}, {high:g}]")
        return self

    def digest(self) -> str:
        """Return the SHA-256 of what is stated."""
        return digest_content(self.model_dump(mode="json"))


def load_plan(path: Path) -> ValidationPlan:
    """Read a plan from TOML.

    Raises
    ------
    ModelError
        Where the file is missing or not TOML, and one sentence for each wrong key.
    """
    try:
        return ValidationPlan.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"The validation plan {path} cannot be read: {error}.") from error
    except ValidationError as error:
        raise ModelError(
            *(
                f"Validation plan {path}: {f'{key}: ' if key else ''}{text}."
                for key, text in list_wrong_values(error)
            )
        ) from error


def digest_content(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON content."""
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
