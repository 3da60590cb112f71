"""A finished training as a model folder."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch

from brlp_models.errors import ModelError
from brlp_models.model_config import ModelConfig
from brlp_models.model_folder import write_model_folder
from brlp_models.training.auxiliary import FILES
from brlp_models.training.banks import Bank
from brlp_models.training.pipeline import SCAN_BANK, Training
from brlp_models.training.volume_gain import measure_volume_gain


def export_model(training: Training, folder: Path, *, card: str) -> Path:
    """Write the model folder of a training whose stages are all finished.

    Parameters
    ----------
    training
        Its folder holds the stages' weights and `auxiliary/`.
    folder
        The model folder.
    card
        The text of the model card.

    Raises
    ------
    ModelError
        Where a stage is not finished.
    """
    config, networks = training.load_config(), training.load_networks()
    bank = Bank.load(training.folder / SCAN_BANK)
    auxiliary = _read_auxiliary(training.folder)
    update = {"training_ranges": measure_training_ranges(bank.index, config), "auxiliary": FILES}
    if training.recipe.measure_volume_gain:
        update["volume_gain"] = measure_volume_gain(
            config, networks, bank, seed=training.recipe.seed
        )
    return write_model_folder(
        folder,
        config.model_copy(update=update),
        networks,
        card=card,
        auxiliary=auxiliary,
        dtype=torch.float16,
    )


def measure_training_ranges(
    index: pd.DataFrame, config: ModelConfig
) -> dict[str, tuple[float, float]]:
    """Return the span of each input in training, for the check of new scans.

    Parameters
    ----------
    index
        A bank's index.
    config
        Its context names the volumes.
    """
    ranges = {"age_years": _span(index["age_years"])}
    months = index.groupby("participant_id")["months_from_baseline"].max()
    ranges["interval_years"] = (0.0, float(months.max()) / 12)
    for entry in config.context:
        kind, colon, region = entry.name.partition(":")
        if colon and kind == "volume":
            ranges[entry.name] = _span(index[f"{region}_mm3"])
    return ranges


def _span(column: pd.Series) -> tuple[float, float]:
    return float(column.min()), float(column.max())


def _read_auxiliary(folder: Path) -> Mapping[str, str]:
    missing = [name for name in FILES.values() if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            f"The auxiliary models are not fitted yet ({folder / missing[0]} is missing)."
        )
    return {name: (folder / name).read_text(encoding="utf-8") for name in FILES.values()}
