"""Model folders as MONAI bundles, which MONAI's own tools load and run without this package."""

import inspect
import json
from pathlib import Path
from typing import Any, Final

import monai
import numpy as np
import torch

from brlp_models.bundle import checks
from brlp_models.bundle.inference import (
    FOLLOWS,
    NETWORK_FILES,
    build_inference_config,
    name_covariate,
    name_scan,
)
from brlp_models.errors import ModelError
from brlp_models.model import ranges, schedulers
from brlp_models.model.config import ModelConfig
from brlp_models.model.files import CARD
from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from cohorts.files.atomic import write_folder

SCHEMA: Final = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
    "meta_schema_20240725.json"
)
"""What `python -m monai.bundle verify_metadata` compares with."""

_PAPER: Final = (
    "Puglisi, Alexander, Ravi: Brain Latent Progression. Medical Image Analysis 2025, "
    "arXiv 2502.08560."
)


def export_monai_bundle(source: str | Path, folder: Path) -> Path:
    """Write a model as a MONAI bundle, whole or not at all.

    Parameters
    ----------
    source
        `mini`, the bundled model, or a model folder.
    folder
        The bundle's root; it must not exist.

    Returns
    -------
    pathlib.Path
        The folder: `configs/metadata.json`, `configs/inference.json`, `models/*.pt` (state dicts
        that load with `weights_only=True`), `scripts/`, `docs/README.md`, `LICENSE`.

    Raises
    ------
    ModelError
        Where the folder exists, or the model is not as it was written.
    """
    if folder.exists():
        raise ModelError(f"{folder} exists already; choose another folder for the bundle.")
    model = load_model(source)
    with write_folder(folder) as partial:
        for name in ("configs", "models", "scripts", "docs"):
            (partial / name).mkdir()
        _write_json(partial / "configs" / "metadata.json", build_metadata(model))
        _write_json(partial / "configs" / "inference.json", build_inference_config(model.config))
        for name, network in model.networks.items():
            torch.save(network.state_dict(), partial / "models" / NETWORK_FILES[name])
        (partial / "scripts" / "__init__.py").touch()
        _write(partial / "scripts" / "schedulers.py", inspect.getsource(schedulers))
        _write(partial / "scripts" / "checks.py", inspect.getsource(checks))
        _write(partial / "scripts" / "ranges.py", inspect.getsource(ranges))
        card = (model.folder / CARD).read_text(encoding="utf-8") if model.folder else ""
        _write(partial / "docs" / "README.md", _render_readme(model, card))
        _write(partial / "LICENSE", f"{model.config.license}\n\n{model.config.provenance}\n")
    return folder


def build_metadata(model: BrlpModel) -> dict[str, Any]:
    """Return what `configs/metadata.json` holds, by MONAI's schema `SCHEMA`."""
    config = model.config
    trained = "SYNTHETIC scans only" if config.is_synthetic else "real scans"
    return {
        "schema": SCHEMA,
        "version": "1.0.0",
        "changelog": {"1.0.0": f"exported from the model {model.model_id}"},
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.partition("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {"einops": "0.8", "nibabel": "5.3"},
        "name": config.name,
        "task": "Prediction of a person's brain scan at a later age",
        "description": "Brain Latent Progression: an autoencoder, a latent diffusion UNet and a "
        f"ControlNet. Trained on {trained}. {config.provenance}",
        "authors": "see docs/README.md",
        "copyright": f"Licence of the weights: {config.license}",
        "data_source": config.provenance,
        "data_type": "nibabel",
        "image_classes": "brain without skull in MNI152, intensities 0 to 1, background 0",
        "intended_use": "Research only; not for any decision about a patient.",
        "references": [_PAPER],
        "network_data_format": {
            "inputs": {"image": _describe_image(config, "baseline scan"), **_describe_rest(config)},
            "outputs": {"pred": _describe_image(config, "predicted scan")},
        },
    }


def _describe_image(config: ModelConfig, content: str) -> dict[str, Any]:
    spacing = "x".join(f"{mm:g}" for mm in config.spacing_mm)
    return {
        "type": "image",
        "format": "magnitude",
        "modality": "MR",
        "num_channels": len(config.channels),
        "spatial_shape": list(config.shape),
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": False,
        "channel_def": {
            str(place): f"{channel} of the {content}, {spacing} mm"
            for place, channel in enumerate(config.channels)
        },
    }


def _describe_rest(config: ModelConfig) -> dict[str, Any]:
    names = [entry.name for entry in config.context]
    return {
        "context": {
            "type": "tuples",
            "format": "tabular",
            "num_channels": len(names),
            "spatial_shape": [1],
            "dtype": "float32",
            "value_range": [],
            "is_patch_data": False,
            "channel_def": {str(place): name for place, name in enumerate(names)},
        }
    }


def _render_readme(model: BrlpModel, card: str) -> str:
    config = model.config
    rows = [
        f"| `--{name_covariate(entry)}` | {entry.name} | "
        + (f"one of {', '.join(entry.categories)}" if entry.categories else _span(entry.range))
        + " |"
        for entry in config.context
    ]
    options = " ".join(
        f"--{name_covariate(entry)} ..." for entry in config.context if entry.name not in FOLLOWS
    )
    follows = any(entry.name in FOLLOWS for entry in config.context)
    scans = " ".join(
        f"--{name_scan(channel)} {name_scan(channel)}.nii.gz" for channel in config.channels
    )
    if len(config.channels) == 1:
        held, expected = "the predicted scan", "The scan must be"
    else:
        held = f"the predicted scan of each channel ({', '.join(config.channels)})"
        expected = "The scans, of one visit and on each other, must each be"
    return "\n".join(
        [
            f"# {config.name} as a MONAI bundle",
            "",
            "Predicts a brain scan at a later age from one at baseline. Research only.",
            "",
            "```",
            "pip install monai fire einops nibabel",
            "python -m monai.bundle verify_metadata --meta_file configs/metadata.json "
            "--filepath schema.json",
            "python -m monai.bundle run --config_file configs/inference.json "
            f"{scans} --baseline_age 70 {options}",
            "```",
            "",
            "These are for this folder; elsewhere, `--bundle_root` names it, `--config_file` the "
            "file in it. A covariate that is left out ends the run: none has a value of its own"
            + ("; `--interval` is the time between the two ages." if follows else "."),
            "",
            f"`output/` then holds {held}, and in `volumes.json` the volumes (mm3 in "
            "MNI152) that the model's segmenter finds in the decoded baseline and in the decoded "
            "prediction; the change between these two is what the model shows. `warnings` beside "
            "them says which ages, volumes and other covariates lie outside of what the model was "
            "trained on; these are predicted all the same.",
            *_tell_gains(config),
            "",
            f"{expected} a brain without skull, affinely in MNI152, corrected for the bias "
            "field, its intensities 0 to 1 with a background of exactly 0"
            + (
                f", white over gray matter {config.white_over_gray:g}."
                if config.white_over_gray
                else "."
            )
            + " Nothing here prepares it. Refused are only intensities outside 0 to 1, voxels that "
            "are no number, and a field without a brain; what else is wrong is not seen.",
            "",
            "| option | what | coded for |",
            "|---|---|---|",
            "| `--baseline_age` | age at the scan, years | |",
            *rows,
            "",
            "`age` is the one at the target. Volumes and changes at the target are predictions of "
            "another model, made from baseline data; a value that was measured at the target is "
            "the answer. `--samples`, `--seed` and `--num_inference_steps` are those of the draws, "
            "whose latents are averaged.",
            "",
            "# The model's card",
            "",
            card,
        ]
    )


def _tell_gains(config: ModelConfig) -> list[str]:
    """Return how trialsim comes from the change that is shown to the one that it reports."""
    told = []
    if config.volume_gain:
        gains = ", ".join(f"{region} {gain:.3g}" for region, gain in config.volume_gain.items())
        told.append(f"divided by the share of a true change that predictions show: {gains}")
    if config.shown_weight:
        weights = ", ".join(f"{region} {own:.3g}" for region, own in config.shown_weight.items())
        told.append(f"weighed against the change that the context tells, with: {weights}")
    if not told:
        return []
    return [
        "",
        "It is not yet the change that `trialsim predict` reports, which is the shown relative "
        f"change {'; and '.join(told)}.",
    ]


def _span(values: tuple[float, float] | None) -> str:
    low, high = values or (0.0, 1.0)
    return f"{low:g} to {high:g}"


def _write_json(path: Path, content: dict[str, Any]) -> None:
    _write(path, json.dumps(content, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
