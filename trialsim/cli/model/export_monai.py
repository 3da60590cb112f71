"""`trialsim model export-monai`: a model for people who have MONAI and not this package."""

from pathlib import Path
from typing import Annotated

import typer


def export_monai(
    model: Annotated[str, typer.Argument(help="mini, the bundled model, or a model folder.")],
    out: Annotated[Path, typer.Argument(help="The bundle's folder; it must not exist.")],
) -> None:
    """Write a model as a MONAI bundle, which MONAI's own tools load and run.

    Input checks, preprocessing, auxiliary models and the calibration of volumes stay here: the
    bundle predicts a scan from a scan that is prepared, and from covariates that are given.

    Example: trialsim model export-monai mini bundle
    """
    from brlp_models.bundle.export import export_monai_bundle

    export_monai_bundle(model, out)
    typer.echo(f"{out} holds a MONAI bundle; {out / 'docs' / 'README.md'} says how it is run.")
