"""Exported bundles: MONAI's own tools verify, load and run them, with our numbers."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import monai.bundle
import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.transforms.io.array import LoadImage
from typer.testing import CliRunner

from brlp_models.bundle.checks import check_answer, check_asked, check_scans, load_scans
from brlp_models.bundle.inference import build_inference_config
from brlp_models.model.config import ContextEntry, ModelConfig
from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from brlp_models.model.sampling import sample_latents
from brlp_models.scans.segmentation import NetworkSegmenter
from tests.brlp_models.tiny_model import TINY
from trialsim.cli.app import app

# MONAI warns of what a bundle's configuration may run, of a schema without a checksum, of readers
pytestmark = [
    pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning"),
    pytest.mark.filterwarnings("ignore:No hash value:UserWarning"),
    pytest.mark.filterwarnings("ignore:NvImgCodec:UserWarning"),
]

SAMPLES, SEED, BASELINE_AGE = 3, 5, 71.5
COVARIATES = {"age": 75, "sex": "F", "diagnosis": "MCI", "volume_hippocampus": 7000}
COVARIATES |= {"volume_lateral_ventricle": 30000}
CODED = [0.75, 1, 0.5, (7000 - 5006) / (13955 - 5006), (30000 - 10404) / (191374 - 10404)]
SHOWN_AS_REFINED = {
    "diffusion_target": "residual",
    "residual_scale": 3.0,
    "sampler": "dpm-solver++",
    "num_inference_steps": 4,
    "guidance": 1.5,
    "decoding": "refined",
    "refiner": {
        "network": "UNet",
        "args": {"in_channels": 3, "out_channels": 4, "channels": [4, 8], "strides": [2]},
    },
    "segmenter": {**TINY["segmenter"], "soft_volumes": False},  # type: ignore[dict-item]
}
TWO_CHANNELS = {
    **SHOWN_AS_REFINED,
    "shown_error": 0.03,
    "channels": ["T1w", "FLAIR"],
    "autoencoder": {**TINY["autoencoder"], "in_channels": 2, "out_channels": 2},  # type: ignore[dict-item]
    "refiner": {
        "network": "UNet",
        "args": {"in_channels": 6, "out_channels": 4, "channels": [4, 8], "strides": [2]},
    },
}
REQUIRED = (
    "schema", "version", "monai_version", "pytorch_version", "numpy_version", "task",
    "required_packages_version", "description", "authors", "copyright", "network_data_format",
)  # fmt: skip


def export(model: Path, out: Path) -> Path:
    done = CliRunner().invoke(app, ["model", "export-monai", str(model), str(out)])
    assert done.exit_code == 0, done.stderr
    return out


def write_scan(model: BrlpModel, path: Path) -> torch.Tensor:
    """Write scans on the model's grid, each beside the T1w: noise in a box, background 0."""
    rng, channels = np.random.default_rng(0), []
    for channel in model.config.channels:
        array = np.zeros(model.config.shape, dtype=np.float32)
        array[4:-4, 4:-4, 4:-4] = rng.uniform(0, 1, array[4:-4, 4:-4, 4:-4].shape)
        place = path if channel == "T1w" else path.with_name(f"{channel}.nii.gz")
        nib.save(nib.Nifti1Image(array, np.asarray(model.config.affine)), place)  # type: ignore[no-untyped-call]
        channels.append(torch.from_numpy(array))
    return torch.stack(channels)[None]


def predict(model: BrlpModel, image: torch.Tensor) -> tuple[torch.Tensor, list[dict[str, float]]]:
    """Return the predicted scan, and the volumes at baseline and then, from our own networks."""
    latent, config = model.encode(image), model.config
    shape = (SAMPLES, config.latent_channels, *config.padded_latent_shape)
    latents = sample_latents(
        model,
        latent.expand(SAMPLES, -1, -1, -1, -1),
        torch.full((SAMPLES,), BASELINE_AGE),
        torch.tensor([[CODED]]).expand(SAMPLES, -1, -1),
        torch.randn(shape, generator=torch.Generator().manual_seed(SEED)),
        config.num_inference_steps,
        config.sampler,
    )
    decoded = model.decode(latents.mean(0, keepdim=True))
    reconstruction = model.decode(latent)
    shown = model.render(decoded, scan=image[0], reconstruction=reconstruction[0])
    both = torch.cat([reconstruction, decoded]).clamp(0, 1)
    return shown, [dict(v) for v in NetworkSegmenter(model).measure(both, ["", ""])]


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{}, {"decoding": "difference", "shown_error": 0.05}, SHOWN_AS_REFINED, TWO_CHANNELS]
)
def test_bundle_gives_our_numbers(
    tiny_folder: Callable[..., Path], tmp_path: Path, changes: dict[str, object]
) -> None:
    folder = tiny_folder(**changes)
    bundle, model = export(folder, tmp_path / "bundle"), load_model(folder)
    image = write_scan(model, tmp_path / "scan.nii.gz")
    expected, volumes = predict(model, image)
    monai.bundle.run(
        config_file=str(bundle / "configs" / "inference.json"),
        bundle_root=str(bundle),
        scan=str(tmp_path / "scan.nii.gz"),
        baseline_age=BASELINE_AGE,
        samples=SAMPLES,
        seed=SEED,
        **COVARIATES,
        **{f"scan_{name}": str(tmp_path / f"{name}.nii.gz") for name in model.config.channels[1:]},
    )
    written = sorted((bundle / "output").glob("*.nii.gz"), reverse=True)  # T1w before FLAIR
    assert len(written) == len(model.config.channels)
    for place, path in enumerate(written):
        predicted: Any = nib.load(path)  # type: ignore[attr-defined]
        found = np.asarray(predicted.dataobj)
        assert found.std() > 0.01
        assert np.abs(found - image.numpy()[0, place]).max() > 0.01
        np.testing.assert_allclose(found, expected.numpy()[0, place], atol=1e-5)
        np.testing.assert_allclose(predicted.affine, model.config.affine)
    measured = json.loads((bundle / "output" / "volumes.json").read_text())
    assert measured["warnings"] == []
    for when, ours in zip(("baseline", "predicted"), volumes, strict=True):
        for region, volume in measured[when].items():
            assert volume == pytest.approx(ours[region], rel=1e-5)


@pytest.mark.slow
def test_monai_verifies_and_loads_the_bundle(
    tiny_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_folder()
    bundle = export(folder, tmp_path / "bundle")
    schema = {"type": "object", "required": list(REQUIRED)}
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    monai.bundle.verify_metadata(
        meta_file=str(bundle / "configs" / "metadata.json"), filepath=tmp_path / "schema.json"
    )
    monkeypatch.chdir(bundle)
    loaded = monai.bundle.load(
        "bundle", bundle_dir=str(tmp_path), workflow_type="inference", device="cpu"
    )
    ours = load_model(folder).networks["unet"].state_dict()
    assert isinstance(loaded, torch.nn.Module)
    assert {key: value.tolist() for key, value in loaded.state_dict().items()} == {
        key: value.tolist() for key, value in ours.items()
    }
    for path in (bundle / "models").iterdir():
        torch.load(path, weights_only=True)


def test_nobody_is_made_up_in_a_bundle(tiny_folder: Callable[..., Path], tmp_path: Path) -> None:
    gain = {"volume_gain": {"hippocampus": 1.32}}
    bundle = export(tiny_folder(**gain), tmp_path / "bundle")
    config = json.loads((bundle / "configs/inference.json").read_text())
    assert [config[name] for name in ("baseline_age", *COVARIATES)] == [None] * 6
    readme = (bundle / "docs/README.md").read_text()
    assert "divided by the share of a true change that predictions show: hippocampus 1.32" in readme


# MONAI imports all its modules to run a bundle
@pytest.mark.slow
def test_a_bundle_refuses_what_it_cannot_answer(
    tiny_folder: Callable[..., Path], tmp_path: Path
) -> None:
    bundle = export(tiny_folder(**TWO_CHANNELS), tmp_path / "bundle")
    image = write_scan(load_model(tiny_folder(**TWO_CHANNELS)), tmp_path / "scan.nii.gz")
    asked: dict[str, Any] = {
        "config_file": str(bundle / "configs" / "inference.json"),
        "bundle_root": str(bundle),
        "scan": str(tmp_path / "scan.nii.gz"),
        "baseline_age": BASELINE_AGE,
        **COVARIATES,
    }
    lacking = {key: value for key, value in asked.items() if key != "volume_hippocampus"}
    told = "--scan_FLAIR is missing; --volume_hippocampus is missing."
    with pytest.raises(RuntimeError) as refused:
        monai.bundle.run(**lacking)
    assert str(refused.value.__cause__) == told
    nib.save(  # type: ignore[no-untyped-call]
        nib.Nifti1Image(255 * image.numpy()[0, 1], nib.load(asked["scan"]).affine),  # type: ignore
        tmp_path / "bright.nii.gz",
    )
    _write_nifti(
        tmp_path / "colors.nii.gz",
        np.zeros((4, 4, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")]),
    )
    with pytest.raises(RuntimeError) as refused:
        monai.bundle.run(**asked, scan_FLAIR=str(tmp_path / "colors.nii.gz"))
    told = "--scan_FLAIR must have one real number a voxel, got colors: "
    assert str(refused.value.__cause__) == f"{told}{tmp_path / 'colors.nii.gz'}."
    with pytest.raises(RuntimeError) as refused:
        monai.bundle.run(**asked, scan_FLAIR=str(tmp_path / "bright.nii.gz"))
    assert "--scan_FLAIR must have intensities from 0 to 1, got" in str(refused.value.__cause__)
    assert not (bundle / "output").exists()


ASKED: dict[str, dict[str, Any]] = {
    "scans": {"scan": "scan.nii.gz", "scan_FLAIR": "flair.nii.gz"},
    "numbers": {"baseline_age": 70, "age": 72.5, "volume_hippocampus": np.int64(7000)},
    "choices": {"sex": ["F", ["M", "F"]], "stage": [1, ["0", "1"]]},
    "draws": {"samples": 4, "num_inference_steps": 50, "seed": 1, "guidance": None},
}
GUIDED = {**ASKED["draws"], "guidance": 1.5}


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        ("scans", {"scan_FLAIR": None}, "--scan_FLAIR is missing"),
        ("numbers", {"age": float("nan")}, "--age must be a number, got nan"),
        ("numbers", {"age": 69}, "--age must not be before --baseline_age, got 69 and 70"),
        ("numbers", {"age": "old"}, "--age must be a number, got old"),
        ("numbers", {"volume_hippocampus": 0}, "--volume_hippocampus must be a number above 0"),
        ("choices", {"sex": ["f", ["M", "F"]]}, "--sex must be one of M, F, got f"),
        ("choices", {"sex": [None, ["M", "F"]]}, "--sex is missing, one of M, F is expected"),
        ("draws", {"samples": 0}, "--samples must be a whole number from 1 on, got 0"),
        ("draws", {"samples": 1.5}, "--samples must be a whole number from 1 on, got 1.5"),
        ("draws", {"num_inference_steps": 1001}, "whole number from 1 to 1000, got 1001"),
        (
            "draws",
            {"seed": "one"},
            r"--seed must be a whole number from 0 on, below 2\^63, got one",
        ),
        ("draws", {"seed": -1}, "--seed must be a whole number from 0 on"),
        ("draws", {"seed": 2**63}, "--seed must be a whole number from 0 on"),
        (
            "numbers",
            {"baseline_age": 121, "age": 122},
            "--baseline_age must be from 0 to 120 years",
        ),
        ("draws", {"guidance": -1.0}, "--guidance must be a number from 0 on, got -1.0"),
    ],
)
def test_what_a_bundle_is_asked_is_told_where_it_cannot_be(
    kind: str, given: dict[str, Any], told: str
) -> None:
    assert check_asked(**ASKED, can_be_guided=False)
    with pytest.raises(ValueError, match=told):
        check_asked(**{**ASKED, kind: {**ASKED[kind], **given}}, can_be_guided=True)


def test_what_a_bundle_may_lack_is_checked_where_it_is_given(tiny_config: ModelConfig) -> None:
    entries = (
        ContextEntry(name="edss", range=(0, 10), missing=0.5),
        ContextEntry(name="stage", coding="categories", categories={"1": 0, "2": 1}, missing=-1),
    )
    config = tiny_config.model_copy(update={"context": (*tiny_config.context, *entries)})
    parser = ConfigParser(build_inference_config(config))
    parser["asked"]["_target_"] = "brlp_models.bundle.checks.check_asked"
    given = {"baseline_age": 70, "age": 72, "sex": "F", "diagnosis": "AD"}
    given |= {"volume_hippocampus": 7000, "volume_lateral_ventricle": 30000}
    parser.update(given)
    assert parser.get_parsed_content("asked")
    parser.parse(reset=True)
    parser.update({"edss": "high", "stage": 3})
    with pytest.raises(RuntimeError) as refused:
        parser.get_parsed_content("asked")
    told = "--edss must be a number, got high; --stage must be one of 1, 2, got 3."
    assert str(refused.value.__cause__) == told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, []),
        ({"age": 99}, ["--age is 99, outside the training range of tiny (40 to 95)."]),
        (
            {"age": 82.5},
            ["--age minus --baseline_age is 12.5, outside the training range of tiny (0 to 10)."],
        ),
        (
            {"volume_hippocampus": 2000},
            [
                "--volume_hippocampus is 2000, outside the training range of tiny (3000 to 9000).",
            ],
        ),
    ],
)
def test_a_bundle_warns_of_what_is_outside_of_training(
    tiny_config: ModelConfig, given: dict[str, float], told: list[str]
) -> None:
    spans = {"volume:hippocampus": (3000.0, 9000.0), "reconstruction_error": (0.0, 0.1)}
    spans |= tiny_config.training_ranges
    spans["interval_years"] = (0.0, 30.0) if given.get("age") == 99 else (0.0, 10.0)
    config = tiny_config.model_copy(update={"training_ranges": spans})
    parser = ConfigParser(build_inference_config(config))
    parser["outside"]["_target_"] = "brlp_models.model.ranges.warn_outside"
    parser.update({"baseline_age": 70, **COVARIATES, **given})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert parser.get_parsed_content("outside") == told
    ours = [str(warning.message) for warning in caught if "training range" in str(warning.message)]
    assert ours == told


def test_a_bundle_without_an_age_at_the_target_has_it_from_the_interval(
    tiny_config: ModelConfig,
) -> None:
    interval = ContextEntry(name="interval", range=(0, 5))
    config = tiny_config.model_copy(update={"context": (interval, *tiny_config.context[1:])})
    outside = build_inference_config(config)["outside"]
    assert outside["values"] == {
        "--baseline_age and --interval together": "$@baseline_age + @interval",
        "--interval": "@interval",
    }


@pytest.mark.parametrize("dropout", [None, 0.0, 0.2])
def test_a_bundle_is_guided_where_its_networks_learned_it(
    tiny_config: ModelConfig, dropout: float | None
) -> None:
    config = tiny_config.model_copy(update={"context_dropout": dropout})
    can_be_guided = build_inference_config(config)["asked"]["can_be_guided"]
    guided: dict[str, Any] = {**ASKED, "draws": GUIDED, "can_be_guided": can_be_guided}
    assert check_asked(**{**guided, "draws": {**GUIDED, "guidance": 1.0}})
    if dropout:
        assert check_asked(**guided)
        return
    with pytest.raises(ValueError, match=r"^--guidance must be 1, since the .*1\.5\.$"):
        check_asked(**guided)


@pytest.mark.parametrize(
    ("scan", "told"),
    [
        (torch.full((1, 2, 2, 2), 1.1), "from 0 to 1, got 1.1 to 1.1"),
        (torch.full((1, 2, 2, 2), -0.1), "from 0 to 1, got -0.1 to -0.1"),
        (torch.full((1, 2, 2, 2), float("nan")), "has voxels that are no number"),
        (torch.zeros((1, 2, 2, 2)), "shows nothing where the model looks"),
        (torch.ones((3, 2, 2, 2)), r"must be one volume, got 3 of \(2, 2, 2\) voxels"),
        (torch.ones((1, 2, 2)), r"must be one volume, got 1 of \(2, 2\) voxels"),
    ],
)
def test_scans_that_a_bundle_cannot_read_are_told(scan: torch.Tensor, told: str) -> None:
    good = torch.ones((1, 2, 2, 2))
    assert check_scans([good, good / 2], ["scan", "scan_FLAIR"]).shape == (1, 2, 2, 2, 2)
    with pytest.raises(ValueError, match=f"--scan_FLAIR {told}|--scan_FLAIR must have .* {told}"):
        check_scans([good, scan], ["scan", "scan_FLAIR"])


def _write_nifti(path: Path, data: Any) -> None:
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)  # type: ignore[no-untyped-call]


def test_files_that_are_no_scans_are_told_all_at_once(tmp_path: Path) -> None:
    colors = np.zeros((4, 4, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    _write_nifti(tmp_path / "colors.nii.gz", colors)
    _write_nifti(tmp_path / "complex.nii.gz", np.ones((4, 4, 4), dtype=np.complex64))
    _write_nifti(tmp_path / "scan.nii.gz", np.random.default_rng(0).random((40, 40, 40)))
    (tmp_path / "cut.nii.gz").write_bytes((tmp_path / "scan.nii.gz").read_bytes()[:9000])
    (tmp_path / "text.nii.gz").write_text("no image")
    (tmp_path / "photo.png").write_bytes(b"no image")
    load = LoadImage(reader="NibabelReader", image_only=True, ensure_channel_first=True)
    good = {"scan": str(tmp_path / "scan.nii.gz")}
    (scan,) = load_scans(load, good)
    assert scan.shape == (1, 40, 40, 40)
    names = (
        "colors.nii.gz",
        "complex.nii.gz",
        "cut.nii.gz",
        "text.nii.gz",
        "photo.png",
        "gone.nii",
    )
    files = {f"scan_{place}": str(tmp_path / name) for place, name in enumerate(names)}
    with pytest.raises(ValueError, match=r"^--scan_0 must have one real number") as refused:
        load_scans(load, {**good, **files})
    told = str(refused.value).removesuffix(".").split("; ")
    assert told[:2] == [
        f"--scan_0 must have one real number a voxel, got colors: {tmp_path / names[0]}",
        "--scan_1 must have one real number a voxel, got numbers of the kind complex64: "
        f"{tmp_path / names[1]}",
    ]
    for place, (name, sentence) in enumerate(zip(names[2:], told[2:], strict=True), start=2):
        assert sentence.startswith(f"--scan_{place} cannot be read as a scan (")
        assert sentence.endswith(f"): {tmp_path / name}")


def test_no_predicted_scan_holds_what_is_no_number() -> None:
    assert check_answer(torch.zeros(3))
    with pytest.raises(ValueError, match="nothing is written"):
        check_answer(torch.tensor([0.0, float("inf")]))


def test_the_interval_in_a_bundle_is_the_time_between_the_ages(tiny_config: ModelConfig) -> None:
    interval = ContextEntry(name="interval", range=(0, 5))
    config = tiny_config.model_copy(update={"context": (*tiny_config.context, interval)})
    parser = ConfigParser(build_inference_config(config))
    parser["age"], parser["baseline_age"] = 75.5, 71.0
    assert parser.get_parsed_content("coded_interval") == pytest.approx(0.9)


def test_existing_folder_is_left_alone(tiny_folder: Callable[..., Path], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["model", "export-monai", str(tiny_folder()), str(tmp_path)])
    assert done.exit_code == 1
    assert "exists already; choose another folder for the bundle" in done.stderr
    assert not list(tmp_path.iterdir())
