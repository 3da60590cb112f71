"""Whatever a source holds, reading it gives a cohort or sentences, never a traceback."""

import gzip
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohorts.errors import CohortError, TrialsimError
from cohorts.sources.loading import load_cohort
from cohorts.sources.scans.image_reading import inspect_pair

TRIES = int(os.environ.get("TRIALSIM_NASTY_TRIES", "25"))
"""How often each kind is tried; the long run of a release asks for thousands."""

nasty = settings(
    max_examples=TRIES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

HEADERS = st.sampled_from(
    [
        *("participant_id", "session_id", "age", "age_bl", "sex", "dx", "DX_bl", "months"),
        *("years_bl", "visit_date", "mmse", "hippocampus", "left_hippocampus_ml", "age_W1"),
        *("age_W2", "mmse_W2", "x_V2", "image_path", "BrainSegVol", "eTIV", "VISCODE", "cdr"),
        *("at baseline: x", "{value}", "x y", "_first", "source_row", "baseline_diagnosis"),
    ]
)
CELLS = st.one_of(
    st.sampled_from(
        [
            *("", "n/a", "-", "-4", "9999", "70", "70.5", "900", "0.7", "90+", "F", "M", "1"),
            *("CN", "MCI", "Dementia", "Converted", "bl", "sc", "m06", "ses-01", "W1", "inf"),
            *("2020-01-31", "2020-01-31T10:00:00Z", "31/01/2020", "1e400", '"', "'", "{0}", "{x"),
            *("sub-01", "sub-02", "3400", "1500000", "nan", "\u00a0", "٣", "../x.nii.gz", "NaT"),
        ]
    ),
    st.text(max_size=4),
)


def load_or_refuse(path: Path, **stated: object) -> None:
    problems = [""]
    try:
        load_cohort(path, **stated)  # type: ignore[arg-type]
    except CohortError as error:
        problems = list(error.problems)
    assert problems == [""] or all(problem.strip() for problem in problems)


@nasty
@given(
    header=st.lists(HEADERS, min_size=1, max_size=9),
    rows=st.lists(st.lists(CELLS, min_size=9, max_size=9), max_size=5),
    suffix=st.sampled_from([".csv", ".tsv"]),
    people=st.booleans(),
    quarantine=st.booleans(),
    profile=st.sampled_from([None, "adnimerge", "oasis3", "nacc", "ukb"]),
)
def test_table_of_any_cells(
    header: list[str],
    rows: list[list[str]],
    suffix: str,
    people: bool,
    quarantine: bool,
    profile: str | None,
    tmp_path: Path,
) -> None:
    separator = "," if suffix == ".csv" else "\t"
    lead = ["participant_id", "sex", "age", "dx"] if people else []
    table = [[*lead, *header]]
    for i, row in enumerate(rows):
        own = [f"s{i % 2}", "F", str(70 + i), "CN"] if people else []
        table.append([*own, *row[: len(header)]])
    path = tmp_path / f"t{suffix}"
    text = "\n".join(separator.join(row) for row in table)
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
    load_or_refuse(path, quarantine=quarantine, profile=profile)


@nasty
@given(content=st.binary(max_size=200), suffix=st.sampled_from([".csv", ".tsv", ".parquet"]))
def test_file_of_any_bytes(content: bytes, suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"t{suffix}").write_bytes(content)
    load_or_refuse(tmp_path / f"t{suffix}")


@nasty
@given(
    names=st.lists(
        st.sampled_from(
            [
                "sub-1/anat/sub-1_T1w.nii.gz",
                "sub-1/ses-1/anat/sub-1_ses-1_run-x_T1w.nii",
                "sub-1/ses-m06/anat/sub-1_ses-m06_T1w.nii.gz",
                "sub-1/sub-1_sessions.tsv",
                "sub-1/ses-1/sub-1_ses-1_scans.tsv",
                "sub-2/anat/._sub-2_T1w.nii.gz",
                "derivatives/a/sub-1/anat/sub-1_dseg.nii.gz",
                "derivatives/b/sub-1/ses-1/anat/sub-1_ses-1_run-2_dseg.nii.gz",
                "derivatives/sub-1/anat/sub-1_desc-aseg_dseg.nii",
                "derivatives/fs/sub-1/stats/aseg.stats",
                "derivatives/fs/sub-1_ses-1.long.sub-1/stats/aseg.stats",
                "sub-1/stats/aseg.stats",
                "phenotype/mmse.tsv",
                "dataset_description.json",
                "participants.tsv",
            ]
        ),
        unique=True,
    ),
    content=st.sampled_from(
        [
            b"",
            b"{",
            b"[]",
            b"participant_id\tage\tsex\tdiagnosis\nsub-1\t70\tF\tCN\n",
            b"session_id\tage\nses-1\t70\nses-1\t\n",
            b"filename\tacq_time\nanat/x\tyesterday\n",
            b"# Measure BrainSeg, BrainSegVol\n 1 17 3 n/a Left-Hippocampus\n",
        ]
    ),
)
def test_tree_of_any_files(
    names: list[str], content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("tree")
    (root / "participants.tsv").write_text(
        "participant_id\tage\tsex\tdiagnosis\nsub-1\t70\tF\tCN\n"
    )
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    load_or_refuse(root)


@nasty
@given(
    flips=st.lists(
        st.tuples(st.integers(0, 351), st.integers(0, 7)), min_size=1, max_size=4, unique=True
    ),
    is_map=st.booleans(),
)
def test_header_with_flipped_bits(
    flips: list[tuple[int, int]], is_map: bool, tmp_path: Path
) -> None:
    voxels = np.zeros((6, 6, 6), dtype=np.int16)
    voxels[1:3, 1:5, 1:5], voxels[3:5, 1:5, 1:5] = 17, 53
    image = nib.Nifti1Image(voxels, np.diag([2.0, 2, 2, 1]))
    content = bytearray(image.to_bytes())
    for byte, bit in flips:
        content[byte] ^= 1 << bit
    path = tmp_path / "x.nii.gz"
    path.write_bytes(gzip.compress(bytes(content), 1))
    try:
        found = inspect_pair(None if is_map else path, path if is_map else None)
    except TrialsimError:
        return
    assert found.volumes_mm3 or found.image_faults or found.segmentation_faults or not is_map
