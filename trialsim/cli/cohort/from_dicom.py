"""`trialsim cohort from-dicom`: scans of DICOM series."""

from pathlib import Path
from typing import Annotated

import typer


def from_dicom(
    source: Annotated[Path, typer.Argument(help="A folder of a visit's DICOM files.")],
    bids: Annotated[Path, typer.Argument(help="The BIDS dataset to put its T1w scans into.")],
    participant: Annotated[str, typer.Option(help="Whose visit it is.")],
    session: Annotated[str, typer.Option(help="Which visit it is.")] = "M000",
) -> None:
    """Convert a visit's DICOM series by dcm2niix; keep its T1w scans, without names or dates.

    Age, sex and scanner go into the dataset's tables; the diagnosis is yours to fill in.

    Example: trialsim cohort from-dicom dicom/ bids/ --participant 01 --session M000
    """
    from cohorts.sources.scans.dicom import convert_dicom

    for path in convert_dicom(source, bids, participant=participant, session=session):
        typer.echo(path)
