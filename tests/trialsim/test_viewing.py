"""The page of one person's scans, asked of a study that has some, none, or others'."""

from pathlib import Path

import pandas as pd
import pytest

from reports.errors import ReportError
from reports.store.study import Study
from trialsim.study.result import StudyResult
from trialsim.study.writing.viewing import write_viewer


def make_study(path: Path, kinds: dict[str, str]) -> StudyResult:
    """Return a study that lists one image of a kind for each person."""
    images = pd.DataFrame(
        [
            {"participant_id": name, "model_id": "m", "horizon_months": 24.0, "kind": kind,
             "path": f"/{name}.nii.gz"}
            for name, kind in kinds.items()
        ],
        columns=["participant_id", "model_id", "horizon_months", "kind", "path"],
    )  # fmt: skip
    with Study.open(path) as study, study.run(command="c", config={}) as run:
        run.write("prediction_images", images)
    return StudyResult(path)


@pytest.mark.parametrize("kinds", [{}, {"p1": "baseline"}])
def test_a_study_that_kept_no_predicted_scans_says_so(
    kinds: dict[str, str], tmp_path: Path
) -> None:
    result = make_study(tmp_path / "study.duckdb", kinds)
    with pytest.raises(ReportError, match=r"holds no predicted scans: .*save_images makes them"):
        write_viewer(result, "p1", tmp_path / "scans.html", identify=False)


def test_whom_there_is_nothing_of_is_told_who_there_is(tmp_path: Path) -> None:
    result = make_study(
        tmp_path / "study.duckdb", {f"p{number}": "predicted" for number in range(1, 6)}
    )
    told = r"Nothing was predicted for p9; there is p1, p2, p3, \.\.\. \(2 more\)\.$"
    with pytest.raises(ReportError, match=told):
        write_viewer(result, "p9", tmp_path / "scans.html", identify=False)
