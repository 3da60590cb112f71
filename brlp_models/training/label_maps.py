"""The label maps that a training draws anatomies from."""

from pathlib import Path

from brlp_models.errors import ModelError


def list_label_maps(
    folder: Path | None, held_out: tuple[str, ...], *, for_evaluation: bool = False
) -> list[Path]:
    """Return the label maps of a folder that training may read, or those that it may not.

    Parameters
    ----------
    folder
        Of NIfTI or MGH files.
    held_out
        Beginnings of the names that are for evaluation only.
    for_evaluation
        Return these instead.

    Raises
    ------
    ModelError
        Where there is none, or the recipe holds none out.
    """
    if for_evaluation and not held_out:
        raise ModelError(
            "This recipe holds no label maps out (held_out_label_maps) to evaluate on."
        )
    found = [] if folder is None else sorted(folder.glob("*.nii*")) + sorted(folder.glob("*.mgz"))
    paths = [path for path in found if path.name.startswith(held_out) == for_evaluation]
    if not paths:
        wanted = f"named {', '.join(held_out)}" if for_evaluation else "to learn from"
        raise ModelError(
            f"This recipe needs label maps {wanted}; --label-maps gave none ({folder})."
        )
    return paths
