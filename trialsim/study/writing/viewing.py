"""One person's scans as a page of their own."""

from pathlib import Path

import pandas as pd

from cohorts.files.atomic import write_file
from cohorts.images import read_image
from cohorts.sources.records import join_names
from reports.errors import ReportError
from reports.viewer.page import collect_layers, render_viewer
from trialsim.study.result import StudyResult

_SHOWN = ("reconstructed", "predicted", "uncertainty")


def build_viewer(result: StudyResult, participant_id: str, *, shown_as: str) -> str:
    """Return the page with a person's baseline and predicted scans.

    Parameters
    ----------
    result
        The study.
    participant_id
        Who is shown.
    shown_as
        What the page calls the person.

    Raises
    ------
    ReportError
        Where the study has no scans of the person.
    CohortError
        Where a scan cannot be read.
    """
    has_images = result.study.has("prediction_images")
    images = result.table("prediction_images") if has_images else pd.DataFrame({"kind": []})
    images = images[images["kind"].isin(_SHOWN)]
    if images.empty:
        raise ReportError(
            f"The study {result.path} holds no predicted scans: `trialsim predict` with "
            "prediction.save_images makes them."
        )
    mine = images[images["participant_id"] == participant_id]
    if mine.empty:
        some = ", ".join(join_names(images["participant_id"].unique(), limit=3))
        raise ReportError(f"Nothing was predicted for {participant_id}; there is {some}.")
    found = {
        (str(kind), float(months)): read_image(Path(str(path)))
        for kind, months, path in mine[["kind", "horizon_months", "path"]].to_numpy()
    }
    table = result.table("predictions")
    own = table["participant_id"] == participant_id
    course = table[own & (table["region"] == result.protocol.design.endpoint)]
    return render_viewer(shown_as, collect_layers(found), course, is_synthetic=result.is_synthetic)


def write_viewer(result: StudyResult, participant_id: str, out: Path, *, identify: bool) -> Path:
    """Write the page of `build_viewer`; the person has no name in it unless identified."""
    shown_as = participant_id if identify else "a participant"
    return write_file(out, build_viewer(result, participant_id, shown_as=shown_as).encode())
