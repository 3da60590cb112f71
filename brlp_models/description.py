"""What a model folder says about its model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brlp_models.model_folder import find_model_folder, read_config, verify_model_folder
from brlp_models.networks import build_empty_networks


def describe_model(source: str | Path) -> dict[str, Any]:
    """Return the facts of a model, from its verified folder, without loading weights.

    Raises
    ------
    ModelError
        Where the folder is not as it was written.
    """
    folder = find_model_folder(source)
    verify_model_folder(folder)
    config = read_config(folder)
    sizes = {
        name: sum(parameter.numel() for parameter in network.parameters())
        for name, network in build_empty_networks(config).items()
    }
    return {
        "name": config.name,
        "folder": str(folder),
        "trained_on": "synthetic scans" if config.is_synthetic else "real scans",
        "provenance": config.provenance,
        "license": config.license,
        "grid": f"{' x '.join(map(str, config.shape))} voxels of "
        f"{' x '.join(f'{mm:g}' for mm in config.spacing_mm)} mm, MNI152",
        "latent": f"{config.latent_channels} x {' x '.join(map(str, config.latent_shape))}, "
        f"scale {config.latent_scale:g}",
        "target": config.diffusion_target,
        "sampler": f"{config.sampler}, {config.num_inference_steps} steps",
        "parameters": sizes,
        "context": [entry.name for entry in config.context],
        "regions": list(config.regions),
        "segmentation": config.segmenter.network if config.segmenter else "none of its own",
        "auxiliary": dict(config.auxiliary),
        "training_ranges": {k: list(v) for k, v in config.training_ranges.items()},
    }


def render_description(description: Mapping[str, Any]) -> str:
    """Return the facts as lines for a terminal."""
    width = max(len(key) for key in description)
    return "\n".join(f"{key:<{width}}  {_render(value)}" for key, value in description.items())


def _render(value: Any) -> str:
    if isinstance(value, Mapping):
        parts = (f"{key} {_render(item)}" for key, item in value.items())
        return "; ".join(parts) or "none"
    if isinstance(value, list):
        return (" to " if all(isinstance(v, float) for v in value) else ", ").join(
            map(_render, value)
        )
    return f"{value:,}" if isinstance(value, int) else str(value)
