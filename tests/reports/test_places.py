"""Paths in a study are relative to it, and absolute where they are used."""

from pathlib import Path

import numpy as np
import pandas as pd
from pandas.testing import assert_frame_equal

from reports.store.places import relate_paths, resolve_paths


def test_paths_are_kept_relative_and_come_back(tmp_path: Path) -> None:
    scan, other = str(tmp_path / "scans" / "a.nii"), str(tmp_path.parent / "b.nii")
    visits = pd.DataFrame(
        {
            "image_path": pd.array([scan, None, scan, other], dtype="str"),
            "segmentation_path": pd.array([None] * 4, dtype="str"),
            "age_years": np.arange(4.0),
        },
        index=[3, 1, 4, 0],
    )
    kept = relate_paths(visits, "visits", tmp_path)
    assert kept["image_path"].dropna().tolist() == ["scans/a.nii", "scans/a.nii", "../b.nii"]
    assert kept["image_path"].isna().tolist() == [False, True, False, False]
    assert kept["segmentation_path"].isna().all()
    assert_frame_equal(resolve_paths(kept, "visits", tmp_path), visits)
