"""`trialsim model check-scan`: whether a model can be trusted with a scan."""

from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.asking.recording import JsonOption


def check_scan(
    file: Annotated[Path, typer.Argument(help="A T1w scan: .nii, .nii.gz or .mgz.")],
    model: Annotated[str, typer.Option(help="mini, or a model folder.")] = "mini",
    segmentation: Annotated[
        Path | None, typer.Option(help="A SynthSeg or FreeSurfer label map of the scan.")
    ] = None,
    mask: Annotated[Path | None, typer.Option(help="A brain mask of the scan.")] = None,
    age: Annotated[
        float | None, typer.Option(min=0, max=120, help="Age in years at the scan.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Where the picture goes; <scan>_check.png in this folder by default."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether a scan passes, passes with a warning, or is refused, and draw it in MNI152.

    Exit code 1 when it is refused.

    Example: trialsim model check-scan sub-01_T1w.nii.gz --model mini --age 71
    """
    from brlp_models.model.folder import load_model
    from brlp_models.scans.check import check_scan_with_model
    from brlp_models.scans.preprocessing import VisitScan

    check, preprocessed = check_scan_with_model(
        load_model(model),
        VisitScan(file, segmentation=segmentation, mask=mask),
        covariates={} if age is None else {"age_years": age},
    )
    if preprocessed is not None:
        from brlp_models.scans.picture import plot_preprocessed_scan

        picture = picture or Path(f"{file.name.split('.')[0]}_check.png")
        title = f"{file.name}: {check.verdict}"
        plot_preprocessed_scan(preprocessed, title=title).savefig(picture, dpi=120)
    if as_json:
        from trialsim.cli.answering.printing import print_json

        print_json({"file": str(file), **check.to_dict()})
    else:
        typer.echo(check.render())
        if preprocessed is not None:
            typer.echo(f"Picture: {picture}")
    if check.verdict == "fail":
        raise typer.Exit(1)
