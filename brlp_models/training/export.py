"""A finished training as a model folder."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

import pandas as pd

from brlp_models.errors import ModelError
from brlp_models.model.config import ModelConfig
from brlp_models.model.files import find_model_folder, read_config, verify_model_folder
from brlp_models.model.folder import write_model_folder
from brlp_models.model.model import BrlpModel
from brlp_models.model.training_people import TRAINING_PEOPLE, describe_training_people
from brlp_models.training.banks.pairs import name_regions
from brlp_models.training.banks.volumes import Bank
from brlp_models.training.kept import KeptParts
from brlp_models.training.pipeline import SCAN_BANK, Training
from brlp_models.training.recipe import Recipe
from brlp_models.training.stages.auxiliary import FILES
from brlp_models.training.stages.volume_gain import measure_volume_gain
from cohorts.counting import tally


def export_model(
    training: Training, folder: Path, *, card: str, people: Collection[str] = ()
) -> Path:
    """Write the model folder of a training whose stages are all finished.

    Parameters
    ----------
    training
        Its folder holds the stages' weights and `auxiliary/`.
    folder
        The model folder.
    card
        The text of the model card.
    people
        Ids of the cohort's people; nobody's where they are synthetic people of the recipe's own.

    Raises
    ------
    ModelError
        Where a stage is not finished.
    """
    recipe, config = training.recipe, training.load_config()
    networks, kept = training.networks.load_all(), KeptParts(recipe)
    bank = Bank.load(training.folder / SCAN_BANK)
    texts = {**({} if kept.auxiliary else _read_auxiliary(training.folder)), **kept.texts}
    if people or kept.training_people:
        texts[TRAINING_PEOPLE] = describe_training_people(people, kept.training_people)
    update = {
        "training_ranges": _find_training_ranges(recipe, bank.index, config),
        "auxiliary": kept.auxiliary or FILES,
        "context_dropout": recipe.context_dropout,
        **kept.measured,
    }
    if recipe.measure_volume_gain and "volume_gain" not in update:
        update["volume_gain"] = measure_volume_gain(config, networks, bank, seed=recipe.seed)
    learned = {name: network.half() for name, network in networks.items()}
    return write_model_folder(
        folder,
        config.model_copy(update=update),
        {**learned, **kept.load_weights()},
        card=card,
        auxiliary=texts,
    )


def describe_start(start: str) -> str:
    """Return the id of the model that a training started from, which tells its weights."""
    folder = find_model_folder(start)
    return BrlpModel(read_config(folder), {}, verify_model_folder(folder), folder).model_id


def _find_training_ranges(
    recipe: Recipe, index: pd.DataFrame, config: ModelConfig
) -> dict[str, tuple[float, float]]:
    """Return the span of each input, of the start's training where what reads it is kept."""
    if recipe.start_from is not None and not recipe.list_diffusion_phases():
        return read_config(find_model_folder(recipe.start_from)).training_ranges
    return measure_training_ranges(index, config)


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


def _read_auxiliary(folder: Path) -> dict[str, str]:
    missing = [name for name in FILES.values() if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            f"The auxiliary models are not fitted yet ({folder / missing[0]} is missing)."
        )
    return {name: (folder / name).read_text(encoding="utf-8") for name in FILES.values()}


SYNTHETIC_FIRST_LINE = (
    "**{name} was trained on synthetic scans only: it proves that the pipeline works, "
    "and says nothing about clinical performance.**"
)


def render_training_card(recipe: Recipe, folder: Path) -> str:
    """Return the text of MODEL_CARD.md.

    Parameters
    ----------
    recipe
        How it was trained.
    folder
        Of the training; its bank says on whom.
    """
    config, index = recipe.model, Bank.load(folder / SCAN_BANK).index
    first = index[index["months_from_baseline"] == 0]
    diagnoses = first["diagnosis"].value_counts().to_dict()
    lines = [
        SYNTHETIC_FIRST_LINE.format(name=config.name) if config.is_synthetic else config.provenance,
        "",
        f"# {config.name}",
        "",
        f"- Grid: {' x '.join(map(str, config.shape))} voxels of {config.spacing_mm[0]:g} mm.",
        f"- Training: {tally(len(first), 'people')}, {tally(len(index), 'scans')}; by "
        "diagnosis at baseline "
        + ", ".join(f"{name} {count}" for name, count in sorted(diagnoses.items()))
        + ".",
        f"- Ages at the scans: {index['age_years'].min():.0f} to {index['age_years'].max():.0f}.",
        f"- Seed {recipe.seed}; licence {config.license}.",
    ]
    if config.is_synthetic:
        lines.append(f"- {config.provenance}")
    lines += _describe_start(recipe)
    if "base_anatomy" in index:
        names = ", ".join(sorted(str(name) for name in index["base_anatomy"].unique()))
        lines += [
            f"- Base anatomies in training: {names}.",
            f"- {_name_generator(recipe)}; its parameters (SHA-256): "
            f"`{recipe.choose_generator().digest()}`.",
        ]
    lines += _describe_context(recipe)
    return "\n".join(lines) + "\n"


_CALLED: Final = {"unet": "UNet", "controlnet": "ControlNet"}
"""What networks are called in a sentence, where otherwise than their files."""


def _describe_start(recipe: Recipe) -> list[str]:
    """Return what was trained on from which model, and what else it has of that."""
    if recipe.start_from is None:
        return []
    start, kept = describe_start(recipe.start_from), KeptParts(recipe)
    names = ", ".join(_CALLED.get(name, name) for name in recipe.list_trained())
    told = [f"- Trained on from {start}: its {names}."]
    held = [f"`{key}`" for key in kept.measured]
    if kept.auxiliary:
        held.insert(0, "auxiliary models")
    if held:
        same = ", ".join(held)
        told.append(f"- As they are there, since nothing that they hang on learned: {same}.")
    return told


_SIGNS: Final = {
    "strong": "signs in scans that are stronger than life",
    "literature": "signs in scans as the literature has them",
    "null": "signs in scans that tell nothing of the course",
}


def _name_generator(recipe: Recipe) -> str:
    if recipe.generator == 1:
        return "Generator 1, no signs in scans but the volumes"
    return f"Generator 2, {_SIGNS[recipe.signal]}"


_TOLD_BY: Final = {
    "expected": "as expected of each person by a regression fitted on others",
    "true": "the true ones",
}


def _describe_context(recipe: Recipe) -> list[str]:
    """Return what the context told of later volumes while UNet and ControlNet learned together."""
    if not (name_regions(recipe.model) and recipe.controlnet):
        return []
    phases = [
        "of changes drawn apart from the person (`told`), "
        f"shown with an error of {100 * phase.told_error:g} %"
        if phase.volumes == "told"
        else _TOLD_BY[phase.volumes]
        for phase in recipe.controlnet
    ]
    return [f"- Later volumes in the context of training: {'; then '.join(dict.fromkeys(phases))}."]
