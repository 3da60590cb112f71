"""FreeSurfer's aseg.stats, read or refused."""

from pathlib import Path

import pytest

from cohorts.errors import CohortError
from cohorts.sources.freesurfer.stats_files import read_stats

TABLE = """# Measure BrainSeg, BrainSegVol, Brain Segmentation Volume, 1200000.0, mm^3
# Measure EstimatedTotalIntraCranialVol, eTIV, Estimated Total Intracranial Volume, 1500000.0, mm^3
# ColHeaders  Index SegId NVoxels Volume_mm3 StructName normMean
  1  17  3400  3400.5  Left-Hippocampus  60.0
  2  53  3500  3500.5  Right-Hippocampus 60.0
  3  16  20000 20000.0 Brain-Stem 80.0
  4  24  1000  1000.0  CSF 40.0
  5  72  0     0.0     5th-Ventricle 0.0
"""


def test_sides_are_summed_and_the_brain_completed(tmp_path: Path) -> None:
    (tmp_path / "aseg.stats").write_text(TABLE)
    volumes = read_stats(tmp_path / "aseg.stats").volumes_mm3
    assert volumes["hippocampus"] == 6901.0
    assert volumes["brain"] == 1_200_000 + 20_000 - 1_000
    assert volumes["head_size_mm3"] == 1_500_000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must list Left-Hippocampus"),
        (TABLE[:260], "a line that is no volume|must list"),
        (TABLE.replace("3400.5", "n/a"), "a line that is no volume"),
        (TABLE.replace("Left-Hippocampus", "Left-Hippo"), "must list Left-Hippocampus"),
    ],
)
def test_broken_file_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "aseg.stats").write_text(text)
    with pytest.raises(CohortError, match=words):
        read_stats(tmp_path / "aseg.stats")
