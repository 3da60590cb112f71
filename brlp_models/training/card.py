"""The model card of a training."""

from pathlib import Path

from brlp_models.training.banks import Bank
from brlp_models.training.pipeline import SCAN_BANK
from brlp_models.training.recipe import Recipe
from cohorts.synthetic.parameters import GeneratorParameters

SYNTHETIC_FIRST_LINE = (
    "**{name} was trained on synthetic scans only: it proves that the pipeline works, "
    "and says nothing about clinical performance.**"
)


def render_training_card(recipe: Recipe, folder: Path, *, results: str = "") -> str:
    """Return the text of MODEL_CARD.md.

    Parameters
    ----------
    recipe
        How it was trained.
    folder
        Of the training; its bank says on whom.
    results
        Measured results, in Markdown.
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
        f"- Training: {len(first)} people, {len(index)} scans; by diagnosis at baseline "
        + ", ".join(f"{name} {count}" for name, count in sorted(diagnoses.items()))
        + ".",
        f"- Ages at the scans: {index['age_years'].min():.0f} to {index['age_years'].max():.0f}.",
        f"- Seed {recipe.seed}; licence {config.license}.",
    ]
    if "base_anatomy" in index:
        names = ", ".join(sorted(str(name) for name in index["base_anatomy"].unique()))
        lines += [
            f"- Base anatomies in training: {names}.",
            f"- Generator parameters (SHA-256): `{GeneratorParameters().digest()}`.",
        ]
    return "\n".join([*lines, "", results]).rstrip() + "\n"
