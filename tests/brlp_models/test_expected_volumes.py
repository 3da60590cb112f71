"""The context of training is what a prediction has."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brlp_models.errors import ModelError
from brlp_models.model.config import ModelConfig
from brlp_models.model.context import NO_CONTEXT
from brlp_models.model.networks import build_unet
from brlp_models.training.banks.expected_volumes import (
    CrossFitted,
    find_measurement_sd,
    tell_expected,
)
from brlp_models.training.banks.pairs import build_visit_pairs
from brlp_models.training.examples import Draw
from brlp_models.training.loop import LoopSettings
from brlp_models.training.recipe import Recipe, load_recipe
from brlp_models.training.stages.diffusion import DiffusionSettings, DiffusionStage
from cohorts.cohort import Cohort

REGIONS = ("hippocampus", "lateral_ventricle")


def make_index(n_people: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    people = pd.DataFrame(
        {
            "participant_id": [f"sub-{k:02d}" for k in range(n_people)],
            "sex": np.where(np.arange(n_people) % 2, "F", "M"),
            "diagnosis": (["CN", "MCI", "AD"] * n_people)[:n_people],
            "first_age": rng.uniform(60, 80, n_people),
            "size": rng.uniform(0.9, 1.1, n_people),
            "fluid": rng.uniform(0.5, 1.5, n_people),
            "loss": rng.uniform(0.01, 0.03, n_people),
        }
    )
    visits = people.merge(pd.DataFrame({"months_from_baseline": [0.0, 18.0, 36.0]}), "cross")
    years = visits["months_from_baseline"] / 12
    return visits.assign(
        session_id=[f"ses-{m:g}" for m in visits["months_from_baseline"]],
        age_years=visits["first_age"] + years,
        hippocampus_mm3=7000 * visits["size"] * (1 - visits["loss"] * years),
        lateral_ventricle_mm3=40000 * visits["fluid"] * (1 + visits["loss"] * years),
    ).rename_axis("row")


def make_cohort(index: pd.DataFrame) -> Cohort:
    first = index[index["months_from_baseline"] == 0]
    columns = ["participant_id", "session_id", "age_years", "months_from_baseline", "diagnosis"]
    volumes = index.melt(
        ["participant_id", "session_id"],
        [f"{region}_mm3" for region in REGIONS],
        "region",
        "volume_mm3",
    )
    return Cohort(
        first[["participant_id", "sex", "age_years", "diagnosis"]].reset_index(drop=True),
        index[columns].assign(image_path=None, segmentation_path=None).reset_index(drop=True),
        volumes.assign(region=volumes["region"].str.removesuffix("_mm3"), source="test"),
    )


def test_nobody_is_expected_by_a_model_that_saw_them(
    tiny_config: ModelConfig, tmp_path: Path
) -> None:
    index = make_index()
    altered = index.copy()
    mine = altered["participant_id"] == "sub-07"
    altered.loc[mine & (altered["months_from_baseline"] > 0), "hippocampus_mm3"] *= 0.5
    pairs = build_visit_pairs(index, tiny_config)
    found = []
    for table in (index, altered):
        CrossFitted.fit(make_cohort(table), REGIONS, seed=1).write(tmp_path / "folds.json")
        fitted = CrossFitted.load(tmp_path / "folds.json")
        told = tell_expected(pairs, index, tiny_config, fitted, measurement_sd={}, seed=0)
        found.append(told.values["volume:hippocampus"])  # noqa: PD011
    of_baseline = index["months_from_baseline"].loc[pairs.rows[:, 0]].to_numpy() == 0
    own = (index["participant_id"].loc[pairs.rows[:, 0]] == "sub-07").to_numpy()
    assert found[0][own].to_numpy() == pytest.approx(found[1][own].to_numpy())
    assert not np.allclose(found[0][~own], found[1][~own])
    # near the truth, but not the truth
    error = found[0] / pairs.values["volume:hippocampus"] - 1  # noqa: PD011
    assert 0.001 < error[of_baseline].abs().mean() < 0.03


def test_synthetic_truth_is_measured_before_it_is_told(tiny_config: ModelConfig) -> None:
    index = make_index()
    change = tiny_config.context[0].model_copy(
        update={"name": "change:hippocampus", "range": (0, -1000)}
    )
    config = tiny_config.model_copy(update={"context": (*tiny_config.context, change)})
    pairs = build_visit_pairs(index, config)
    _, fitted = CrossFitted.fit(make_cohort(index), REGIONS, seed=1).folds[0]
    everyone = CrossFitted(((None, fitted),))
    options = {"auxiliary": everyone, "seed": 3}
    exact, noisy = (
        tell_expected(pairs, index, config, measurement_sd=sd, **options).values  # noqa: PD011
        for sd in ({}, {"hippocampus": 0.05})
    )
    starts = [table["volume:hippocampus"] - table["change:hippocampus"] for table in (exact, noisy)]
    true = index["hippocampus_mm3"].loc[pairs.rows[:, 0]].to_numpy()
    assert starts[0].to_numpy() == pytest.approx(true)
    ratio = np.log(starts[1].to_numpy() / true)
    assert np.std(ratio) == pytest.approx(0.05, rel=0.3)
    assert "hippocampus" in find_measurement_sd(index.assign(base_anatomy="a"))
    assert find_measurement_sd(index) == {}


def test_people_that_no_fold_left_out_are_told(tiny_config: ModelConfig, tmp_path: Path) -> None:
    index = make_index()
    fitted = CrossFitted.fit(make_cohort(index), REGIONS, seed=1)
    few = replace(fitted, folds=fitted.folds[:1])
    pairs = build_visit_pairs(index, tiny_config)
    with pytest.raises(ModelError, match="No auxiliary model was fitted without sub-"):
        tell_expected(pairs, index, tiny_config, few, measurement_sd={}, seed=0)
    with pytest.raises(ModelError, match="Train the stage auxiliary first"):
        CrossFitted.load(tmp_path / "absent.json")


def test_context_is_dropped_from_its_share_of_examples(tiny_config: ModelConfig) -> None:
    index = make_index(4)
    pairs = build_visit_pairs(index, tiny_config)
    settings = DiffusionSettings(loop=LoopSettings(steps=1), context_dropout=0.3)
    latents = np.zeros((len(index), 3, *tiny_config.latent_shape), dtype=np.float16)
    labels = np.zeros((len(index), *tiny_config.shape), dtype=np.uint8)
    stage = DiffusionStage(
        tiny_config, build_unet(tiny_config), latents, pairs, settings, labels=labels
    )
    dropped = [
        bool((stage.draw_example(Draw.of(seed=1, step=k))["context"] == NO_CONTEXT).all())
        for k in range(200)
    ]
    # 4 standard errors
    assert np.mean(dropped) == pytest.approx(0.3, abs=0.13)


def test_guidance_of_a_recipe_needs_context_dropout() -> None:
    content = load_recipe("mini").model_dump()
    content["model"]["guidance"] = 2.0
    with pytest.raises(ValueError, match="needs context_dropout"):
        Recipe.model_validate(content)
    content["controlnet"][-1]["context_dropout"] = 0.1
    assert Recipe.model_validate(content).model.guidance == 2
