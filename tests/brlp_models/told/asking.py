"""What a baseline that tells the context is asked, in Python and on the command line."""

from pathlib import Path
from typing import Any

import pandas as pd
from typer.testing import CliRunner

from brlp_models.baselines.context import ContextBaseline
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.cohort import predict_cohort
from brlp_models.prediction.job import CohortPrediction
from cohorts.cohort import Cohort
from tests.brlp_models.contrast_people import MONTHS
from tests.brlp_models.tiny_model import TINY
from trialsim.cli.app import app

KEY = ["participant_id", "horizon_months", "region"]


def with_context(*entries: dict[str, Any]) -> dict[str, Any]:
    unet = {**TINY["unet"], "cross_attention_dim": len(entries)}  # type: ignore[dict-item]
    return {"context": list(entries), "unet": unet}


def make_ratios(name: str, by_month: dict[float, float]) -> "pd.Series[float]":
    key = pd.MultiIndex.from_tuples([(name, m, "hippocampus") for m in by_month], names=KEY)
    return pd.Series(list(by_month.values()), index=key)


def predict(model: BrlpModel, cohort: Cohort, out: Path, source: Path) -> CohortPrediction:
    told = ContextBaseline.load(source)
    return predict_cohort(model, cohort, MONTHS, 1, out=out, context_from=told)


def ask(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, " ".join(result.output.split())
