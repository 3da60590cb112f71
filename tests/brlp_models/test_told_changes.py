"""Examples that show as much of a person's change as a context tells them to."""

import re

import numpy as np
import pandas as pd
import pytest
import torch

from brlp_models.auxiliary.told import ToldRatios
from brlp_models.errors import ModelError
from brlp_models.model.context import encode_context
from brlp_models.model.model import crop_latents
from brlp_models.model.networks import build_controlnet, build_unet
from brlp_models.training.banks.pairs import VisitPairs
from brlp_models.training.banks.told_changes import (
    LEAST_SHARE,
    MOST_SHARE,
    ToldChanges,
    ToldExample,
)
from brlp_models.training.examples import Draw
from brlp_models.training.stages.diffusion import DiffusionStage
from brlp_models.training.stages.volume_term import VolumeTerm
from tests.brlp_models.test_training import make_recipe

REGIONS = ("hippocampus", "lateral_ventricle")
N_PEOPLE = 200


def make_index(*, lost: float = 0.03) -> pd.DataFrame:
    """Two visits two years apart; people lose `lost` of their hippocampus a year on average."""
    rng = np.random.default_rng(1)
    years = np.tile([0.0, 2.0], N_PEOPLE)
    pace = np.repeat(rng.uniform(0.2, 2.0, N_PEOPLE), 2) * years
    volumes = {"hippocampus": 7000 * np.exp(-lost * pace)}
    volumes["lateral_ventricle"] = 30000 * np.exp(0.06 * pace)
    people = np.repeat([f"sub-{k}" for k in range(N_PEOPLE)], 2)
    table = pd.DataFrame({"participant_id": people, "age_years": 70 + years})
    table = table.assign(**{f"{region}_mm3": column for region, column in volumes.items()})
    return table.rename_axis("row")


def make_pairs(index: pd.DataFrame) -> VisitPairs:
    """Everyone is expected to lose 6 % of the hippocampus and to gain 10 % of the ventricle."""
    rows = np.arange(2 * N_PEOPLE).reshape(-1, 2)
    values = pd.DataFrame(index=range(N_PEOPLE))
    for region, ratio in zip(REGIONS, (0.94, 1.1), strict=True):
        start = index.loc[rows[:, 0], f"{region}_mm3"].to_numpy(float)
        values[f"volume:{region}"] = start * ratio
        values[f"change:{region}"] = start * (ratio - 1)
    return VisitPairs(rows, values, np.full(N_PEOPLE, 70.0))


def make_told(*, error: float = 0.4) -> ToldChanges:
    index = make_index()
    return ToldChanges.of(make_pairs(index), index, lead="hippocampus", error=error)


@pytest.fixture(scope="module")
def told() -> ToldChanges:
    return make_told()


@pytest.fixture(scope="module", params=[700, pytest.param(2000, marks=pytest.mark.slow)])
def drawn(request: pytest.FixtureRequest, told: ToldChanges) -> list[ToldExample]:
    rng = np.random.default_rng(2)
    return [told.draw(rng) for _ in range(request.param)]


def read_told(context: pd.DataFrame, region: str) -> float:
    later = float(context[f"volume:{region}"].iloc[0])
    return float(np.log(later / (later - context[f"change:{region}"].iloc[0])))


def test_what_is_shown_is_on_average_what_is_told_whatever_that_is(
    told: ToldChanges, drawn: list[ToldExample]
) -> None:
    said = np.array([read_told(example.context, "hippocampus") for example in drawn])
    shown = np.array([example.share * 2 * told.changes[example.pair] for example in drawn])
    for half in (said < np.median(said), said >= np.median(said)):
        errors = (shown - said)[half]
        assert abs(errors.mean()) < 4 * errors.std() / np.sqrt(half.sum())
    # two years of the error, around a told change that itself differs between examples
    wanted = 2 * np.hypot(0.0025, 0.4 * said / 2)
    # nearly four standard errors of an sd
    tolerance = 3.8 / np.sqrt(2 * len(drawn))
    assert (shown - said).std() / np.sqrt((wanted**2).mean()) == pytest.approx(1, abs=tolerance)


def test_a_person_does_not_tell_how_much_is_shown(
    told: ToldChanges, drawn: list[ToldExample]
) -> None:
    pairs = [(example.pair, example.share) for example in drawn]
    table = pd.DataFrame(pairs, columns=["pair", "share"])
    table["shown"] = table["share"] * told.changes[table["pair"]]
    own = told.changes[table["pair"]]
    # people who lose fast can show more; of the rest of the differences they tell little
    assert np.corrcoef(own, table["shown"])[0, 1] < 0.5
    assert table["share"].between(LEAST_SHARE, MOST_SHARE).all()
    assert table["share"].std() > 0.3


def test_other_regions_keep_the_pace_that_a_prediction_gives_them(told: ToldChanges) -> None:
    example = told.draw(np.random.default_rng(4))
    pairs = told.pairs
    expected = {region: pairs.values[f"volume:{region}"].iloc[example.pair] for region in REGIONS}  # noqa: PD011
    start = {
        region: expected[region] - pairs.values[f"change:{region}"].iloc[example.pair]  # noqa: PD011
        for region in REGIONS
    }
    ratio = np.exp(read_told(example.context, "hippocampus"))
    key = pd.MultiIndex.from_tuples(
        [("sub", 24.0, "hippocampus")], names=["participant_id", "horizon_months", "region"]
    )
    model = ToldRatios(pd.Series([ratio], index=key), _Expecting(expected), "hippocampus")
    table = pd.DataFrame({f"{k}_mm3": [v] for k, v in start.items()}, index=["sub"])
    found = model.predict_volumes(table, horizons_months=[24]).set_index("region")["volume_mm3"]
    for region in REGIONS:
        assert example.context[f"volume:{region}"].iloc[0] == pytest.approx(found[region])


class _Expecting:
    """Expects the same of everyone."""

    regions = REGIONS
    volume_space = "native"
    measured_by = None

    def __init__(self, volumes: dict[str, float]) -> None:
        self.volumes = volumes

    def predict_volumes(self, baseline_table: pd.DataFrame, **_: object) -> pd.DataFrame:
        rows = [
            {"participant_id": name, "horizon_months": 24.0, "region": region, "volume_mm3": volume}
            for name in baseline_table.index
            for region, volume in self.volumes.items()
        ]
        return pd.DataFrame(rows).assign(volume_sd_mm3=0.0)

    def to_dict(self) -> dict[str, object]:
        return {}


@pytest.mark.parametrize(
    ("lead", "lost", "sentence"),
    [
        ("thalamus", 0.03, "change:thalamus in [[model.context]], which has change:hippocampus"),
        ("hippocampus", 0.0, "nobody lost more than 0.5 % of it a year."),
    ],
)
def test_a_bank_that_cannot_show_shares_is_refused(lead: str, lost: float, sentence: str) -> None:
    index = make_index(lost=lost).assign(thalamus_mm3=15000.0)
    with pytest.raises(ModelError, match=re.escape('volumes = "told"')) as told:
        ToldChanges.of(make_pairs(index), index, lead=lead, error=0.4)
    assert sentence in str(told.value)


def test_an_example_shows_its_share_of_the_latents_and_of_the_volume() -> None:
    recipe = make_recipe()
    config = recipe.model.model_copy(update={"residual_scale": 2.0})
    rng = np.random.default_rng(6)
    latents = rng.normal(size=(4, config.latent_channels, *config.latent_shape))
    index = make_index().iloc[:4]
    values = pd.DataFrame({entry.name: [0.5, 0.5] for entry in config.context})
    values["sex"], values["diagnosis"] = "F", "MCI"
    for column in values.columns[values.columns.str.startswith("volume:")]:
        values[column] = 5000.0
    for column in values.columns[values.columns.str.startswith("change:")]:
        values[column] = -100.0
    pairs = VisitPairs(np.array([[0, 1], [2, 3]]), values, np.array([70.0, 71.0]))
    told = ToldChanges.of(pairs, index, lead="hippocampus", error=0.4)
    gradients = rng.normal(size=latents.shape).astype(np.float32)
    term = VolumeTerm.of(pairs, gradients, latents.astype(np.float16))
    stage = DiffusionStage(
        config,
        build_unet(config),
        latents.astype(np.float16),
        pairs,
        recipe.controlnet[0].model_copy(update={"volumes": "told"}),
        labels=np.zeros((4, *config.shape), np.uint8),
        controlnet=build_controlnet(config),
        volume_terms={"hippocampus": term},
        told=told,
    )
    wanted = told.draw(Draw.of(seed=1, step=0).rng)
    example = stage.draw_example(Draw.of(seed=1, step=0))
    before, after = latents.astype(np.float16).astype(np.float32)[pairs.rows[wanted.pair]]
    shown = crop_latents(example["target"][None], config)[0].numpy() / config.residual_scale
    np.testing.assert_allclose(shown, wanted.share * (after - before), rtol=1e-4, atol=1e-5)
    change = wanted.share * term.changes[wanted.pair]
    assert float(example["change:hippocampus"]) == pytest.approx(change)
    coded = encode_context(config.context, wanted.context)[0]
    assert torch.equal(example["context"], coded)
