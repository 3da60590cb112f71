"""Images go with label maps of the same entities; times and volumes are never borrowed."""

import json
from pathlib import Path

import pandas as pd
import pytest

from cohorts.errors import CohortError
from cohorts.sources.bids.files import find_contrast, list_images, pair_files
from cohorts.sources.loading import load_cohort, read_records
from cohorts.sources.reading import Reading

CASES = Path(__file__).parents[3] / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not here")

STATS = """# generating_program mri_segstats
# cvs_version {version}
# Measure BrainSeg, BrainSegVol, Brain Segmentation Volume, 1050000.0, mm^3
# Measure EstimatedTotalIntraCranialVol, {icv}, Intracranial Volume, 1512000.5, mm^3
  1  17  3400  {left}  Left-Hippocampus  60.0
  2  53  3500  3500.0  Right-Hippocampus 60.0
  3  16  20000 21000.0 Brain-Stem 80.0
  4  24  1000  1200.0  CSF 40.0
"""


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def write_stats(folder: Path, left: float, *, version: str = "7.4.1", icv: str = "eTIV") -> None:
    (folder / "stats").mkdir(parents=True, exist_ok=True)
    text = STATS.format(version=version, icv=icv, left=left)
    (folder / "stats" / "aseg.stats").write_text(text)


def write_people(root: Path, text: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / "participants.tsv").write_text(text.replace(" ", "\t"))


def write_sessions(root: Path, person: str, text: str) -> None:
    (root / person).mkdir(parents=True, exist_ok=True)
    (root / person / f"{person}_sessions.tsv").write_text(text.replace(" ", "\t"))


def hippocampi(root: Path, **stated: str) -> dict[str, float]:
    volumes = load_cohort(root, **stated).volumes
    left = volumes[volumes["region"] == "left_hippocampus"]
    keys = left["participant_id"] + " " + left["session_id"]
    return dict(zip(keys, left["volume_mm3"], strict=True))


def pair(folder: Path) -> tuple[str | None, str | None]:
    found = pair_files(list_images(folder, "T1w"), list_images(folder, "dseg"))
    image, labels = found.image, found.segmentation
    return image and image.name, labels and labels.name


@pytest.mark.parametrize(
    ("files", "image", "labels"),
    [
        (["a_run-1_T1w.nii", "a_run-2_T1w.nii", "a_run-2_dseg.nii"], "run-2", "run-2"),
        (["a_run-01_T1w.nii", "a_run-1_dseg.nii"], "run-01", "run-1"),
        (["a_acq-x_T1w.nii", "a_acq-y_T1w.nii", "a_acq-y_desc-b_dseg.nii"], "acq-y", "acq-y"),
        (["a_run-1_T1w.nii", "a_dseg.nii"], "run-1", "a_dseg"),
        (["a_T1w.nii", "._a_T1w.nii", "a_dseg.nii.gz", "._a_dseg.nii.gz"], "a_T1w", "a_dseg"),
        (["a_part-phase_T1w.nii", "a_part-mag_T1w.nii"], "part-mag", None),
        (["a_run-1_T1w.nii", "a_run-2_T1w.nii"], "run-1", None),
    ],
)
def test_image_goes_with_the_map_of_its_entities(
    files: list[str], image: str, labels: str | None, tmp_path: Path
) -> None:
    touch(tmp_path, *files)
    found = pair(tmp_path)
    assert image in (found[0] or "")
    assert (found[1] is None) if labels is None else (labels in (found[1] or ""))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["a_run-1_T1w.nii", "a_run-2_dseg.nii"], "no T1w image goes with"),
        (["a_run-1_T1w.nii", "a_run-2_T1w.nii", "a_dseg.nii"], "no T1w image goes with"),
        (["a_T1w.nii", "a_desc-x_dseg.nii", "a_desc-y_dseg.nii"], "several segmentations"),
    ],
)
def test_pair_that_cannot_be_told_is_a_problem(
    files: list[str], words: str, tmp_path: Path
) -> None:
    touch(tmp_path, *files)
    problem = pair_files(list_images(tmp_path, "T1w"), list_images(tmp_path, "dseg")).problem
    assert words in str(problem)


def test_filter_chooses_the_image(tmp_path: Path) -> None:
    touch(tmp_path, "a_acq-x_T1w.nii", "a_acq-y_run-2_T1w.nii")
    for wanted, name in (
        ({"acquisition": "y"}, "a_acq-y_run-2_T1w.nii"),
        ({"run": [2, 3]}, "a_acq-y_run-2_T1w.nii"),
        ({"run": None}, "a_acq-x_T1w.nii"),
    ):
        assert [file.path.name for file in list_images(tmp_path, "T1w", wanted)] == [name]


@pytest.fixture
def two_pipelines(tmp_path: Path) -> Path:
    root = tmp_path / "ds"
    write_people(root, "participant_id age sex diagnosis\nsub-1 70 F CN\n")
    touch(root, "sub-1/anat/sub-1_T1w.nii.gz")
    for pipeline in ("fast", "synth"):
        touch(root, f"derivatives/{pipeline}/sub-1/anat/sub-1_dseg.nii.gz")
    return root


def test_pipeline_is_chosen_or_asked_for(two_pipelines: Path) -> None:
    problems = read_records(two_pipelines, reading=Reading()).problems
    assert "derivatives/fast, derivatives/synth); choose one pipeline with --pipeline" in str(
        problems[0]
    )
    records = read_records(two_pipelines, reading=Reading(pipeline="synth"))
    assert "synth" in records.frame["segmentation_path"][0]
    assert not records.problems
    with pytest.raises(CohortError, match="no pipeline x under derivatives: it has fast, synth"):
        read_records(two_pipelines, reading=Reading(pipeline="x"))


def test_visits_of_unknown_time_are_refused(tmp_path: Path) -> None:
    write_people(tmp_path, "participant_id age sex diagnosis\nsub-1 70 F CN\n")
    for session in ("ses-baseline", "ses-followup"):
        write_stats(tmp_path / "derivatives/freesurfer" / f"sub-1_{session}", 3400)
        touch(tmp_path, f"sub-1/{session}/anat/x_bold.nii.gz")
    with pytest.raises(CohortError, match="row 2: the time of the visit ses-followup is"):
        load_cohort(tmp_path)


def test_times_come_from_scans_tables(tmp_path: Path) -> None:
    write_people(tmp_path, "participant_id age sex diagnosis\nsub-1 70 F CN\n")
    for session, date in (("ses-a", "2020-01-01T10:00:00"), ("ses-b", "2021-01-01T10:00:00Z")):
        name = f"sub-1/{session}/sub-1_{session}"
        write_stats(tmp_path / "derivatives/freesurfer" / f"sub-1_{session}", 3400)
        touch(tmp_path, f"sub-1/{session}/anat/.keep")
        (tmp_path / f"{name}_scans.tsv").write_text(
            f"filename\tacq_time\nfunc/x.nii.gz\t1999-01-01\nanat/y_T1w.nii.gz\t{date}\n"
        )
    visits = load_cohort(tmp_path).visits
    assert visits["months_from_baseline"].round(1).tolist() == [0, 12.0]
    assert visits["age_years"].round(1).tolist() == [70, 71]


def test_phenotype_tables_give_covariates_of_people_and_visits(tmp_path: Path) -> None:
    write_people(tmp_path, "participant_id age sex diagnosis\n1 70 F CN\n")
    for session in ("ses-m00", "ses-m12"):
        write_stats(tmp_path / "derivatives/freesurfer" / f"sub-1_{session}", 3400)
        touch(tmp_path, f"sub-1/{session}/anat/.keep")
    touch(tmp_path, "phenotype/a.tsv", "phenotype/b.tsv")
    (tmp_path / "phenotype/a.tsv").write_text("participant_id\tapoe4\nsub-1\t1\n")
    (tmp_path / "phenotype/b.tsv").write_text(
        "participant_id\tsession_id\tmmse\nsub-1\tses-m00\t29\nsub-1\tses-m12\t27\n"
    )
    cohort = load_cohort(tmp_path)
    assert cohort.participants[["apoe4", "mmse"]].to_numpy().tolist() == [[1, 29]]
    assert cohort.visits["mmse"].tolist() == [29, 27]


def test_the_one_visit_without_a_date_is_named_and_no_other(tmp_path: Path) -> None:
    write_people(tmp_path, "participant_id age sex diagnosis\nsub-1 70 F CN\n")
    write_sessions(
        tmp_path, "sub-1", "session_id acq_time\nses-a 2020-01-01\nses-b 2021-01-01\nses-c n/a\n"
    )
    with pytest.raises(CohortError) as caught:
        load_cohort(tmp_path)
    (told, *_) = caught.value.problems
    assert "the time of the visit ses-c is unknown, while other visits of this person have" in told
    assert "ses-a" not in str(caught.value)


def test_volumes_of_a_person_stay_at_the_baseline_visit(tmp_path: Path) -> None:
    write_people(tmp_path, "participant_id age sex diagnosis hippocampus\nsub-1 70 F CN 7000\n")
    write_sessions(tmp_path, "sub-1", "session_id months\nses-1 0\nses-2 12\n")
    volumes = load_cohort(tmp_path).volumes
    assert volumes[["session_id", "volume_mm3"]].to_numpy().tolist() == [["ses-1", 7000]]


def test_clinical_visit_without_a_scan_is_a_visit(tmp_path: Path) -> None:
    write_people(tmp_path, "participant_id age sex diagnosis\nsub-1 70 F CN\n")
    write_sessions(tmp_path, "sub-1", "session_id months\nses-m00 0\nses-m12 12\nses-m24 24\n")
    for session in ("ses-m00", "ses-m24"):
        touch(tmp_path, f"sub-1/{session}/anat/.keep")
        write_stats(tmp_path / "derivatives/freesurfer" / f"sub-1_{session}", 3400)
    cohort = load_cohort(tmp_path)
    assert cohort.visits["months_from_baseline"].tolist() == [0, 12, 24]
    assert list(hippocampi(tmp_path)) == ["sub-1 ses-m00", "sub-1 ses-m24"]


@pytest.mark.parametrize("place", ["freesurfer", "fmriprep/sourcedata/freesurfer"])
def test_freesurfer_results_are_found_where_tools_put_them(place: str, tmp_path: Path) -> None:
    write_people(tmp_path, "participant_id age sex diagnosis\nsub-1 70 F CN\n")
    touch(tmp_path, "sub-1/anat/.keep")
    write_stats(tmp_path / "derivatives" / place / "sub-1", 3400.5)
    assert hippocampi(tmp_path) == {"sub-1 ses-01": 3400.5}


@pytest.fixture
def subjects(tmp_path: Path) -> Path:
    """A SUBJECTS_DIR with a table of two visits of one person."""
    write_people(
        tmp_path,
        "participant_id session_id age sex diagnosis\nsub-1 ses-1 70 F CN\nsub-1 ses-2 72 F CN\n",
    )
    return tmp_path


def test_subjects_folder_with_a_table_of_people_is_read(tmp_path: Path) -> None:
    write_people(tmp_path, "participant_id age sex diagnosis\nbert 70 F CN\nsub-2 71 F CN\n")
    write_stats(tmp_path / "bert", 3400)
    write_stats(tmp_path / "sub-2", 3300)
    assert hippocampi(tmp_path) == {"bert ses-01": 3400, "sub-2 ses-01": 3300}


def test_template_does_not_stand_in_for_a_visit(subjects: Path) -> None:
    write_stats(subjects / "sub-1", 3600)
    write_stats(subjects / "sub-1_ses-1", 3400)
    with pytest.raises(CohortError, match=r"no sub-1_ses-2/stats/aseg\.stats"):
        load_cohort(subjects)


def test_template_is_no_visit_of_a_person_without_sessions(tmp_path: Path) -> None:
    write_people(tmp_path, "participant_id age sex diagnosis\nsub-1 70 F CN\n")
    write_stats(tmp_path / "sub-1", 3600)
    write_stats(tmp_path / "sub-1_ses-1", 3400)
    with pytest.raises(CohortError, match="template of a longitudinal run"):
        load_cohort(tmp_path)


def test_longitudinal_results_are_taken_for_all_visits_of_a_person(subjects: Path) -> None:
    for session, cross, long in (("ses-1", 3600, 3400), ("ses-2", 3550, 3390)):
        write_stats(subjects / f"sub-1_{session}", cross)
        write_stats(subjects / f"sub-1_{session}.long.sub-1", long)
    assert hippocampi(subjects) == {"sub-1 ses-1": 3400, "sub-1 ses-2": 3390}
    assert load_cohort(subjects).volumes["source"].str.contains("longitudinal").all()


def test_one_stream_where_the_longitudinal_one_lacks_a_visit(subjects: Path) -> None:
    write_stats(subjects / "sub-1_ses-1", 3600)
    write_stats(subjects / "sub-1_ses-2", 3550)
    write_stats(subjects / "sub-1_ses-2.long.sub-1", 3390)
    assert hippocampi(subjects) == {"sub-1 ses-1": 3600, "sub-1 ses-2": 3550}


def test_streams_that_cannot_be_one_are_refused(subjects: Path) -> None:
    write_stats(subjects / "sub-1_ses-1", 3600)
    write_stats(subjects / "sub-1_ses-2.long.sub-1", 3390)
    with pytest.raises(CohortError, match="one stream for all visits is expected"):
        load_cohort(subjects)


def test_visits_of_different_versions_are_refused(subjects: Path) -> None:
    write_stats(subjects / "sub-1_ses-1", 3600, version="stable5")
    write_stats(subjects / "sub-1_ses-2", 3550)
    with pytest.raises(CohortError, match=r"FreeSurfer 7.*FreeSurfer 5.*one tool for all visits"):
        load_cohort(subjects)


@pytest.mark.parametrize(
    ("version", "tool"),
    [
        ("stable5", "FreeSurfer 5"),
        ("$Id: mri_segstats.c,v 1.75.2.9 2013/02/16 00:09:33 greve Exp $", "FreeSurfer 5"),
        ("$Id: mri_segstats.c,v 1.121 2016/05/31 17:27:11 greve Exp $", "FreeSurfer 6"),
        ("7.4.1", "FreeSurfer 7"),
        ("8.0.0", "FreeSurfer 8"),
    ],
)
@pytest.mark.parametrize("icv", ["ICV", "eTIV"])
def test_every_version_gives_head_and_brain(
    version: str, tool: str, icv: str, subjects: Path
) -> None:
    for session in ("ses-1", "ses-2"):
        write_stats(subjects / f"sub-1_{session}", 3400, version=version, icv=icv)
    cohort = load_cohort(subjects)
    table = cohort.baseline()
    assert table["head_size_mm3"].tolist() == [1_512_000.5]
    assert table["brain_mm3"].tolist() == [1_050_000 + 21_000 - 1_200]
    assert cohort.volumes["source"].str.contains(tool).all()


def test_table_of_aseg_gives_the_brain_of_the_stats_file(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text(
        "Measure:volume\tage\tsex\tdiagnosis\tBrainSegVol\tBrain-Stem\tCSF\n"
        "sub-1\t70\tF\tCN\t1050000\t21000\t1200\n"
    )
    table = load_cohort(tmp_path / "t.tsv").baseline()
    assert table["brain_mm3"].tolist() == [1_069_800]
    assert "brain_seg_mm3" not in table


def test_stats_without_a_number_or_a_side_are_told(subjects: Path) -> None:
    write_stats(subjects / "sub-1_ses-1", float("nan"))
    write_stats(subjects / "sub-1_ses-2", 3400)
    with pytest.raises(CohortError, match="no number for left_hippocampus"):
        load_cohort(subjects)
    write_stats(subjects / "sub-1_ses-1", 3400)
    path = subjects / "sub-1_ses-1/stats/aseg.stats"
    path.write_text(path.read_text() + "  5  18  1500  1500.0  Left-Amygdala 60.0\n")
    notes = load_cohort(subjects).notes
    assert any("lacks right_amygdala" in note for note in notes)


@needs_cases
@pytest.mark.parametrize(
    ("case", "n_visits", "region", "values"),
    [
        ("01-B31-freesurfer-subjects-dir/fs", 2, "left_hippocampus", [3400.1] * 2),
        ("01-B31-freesurfer-subjects-dir/fs2", 2, "left_hippocampus", [3400.1] * 2),
        ("12-B21-aseg-vs-table/fs", 1, "brain", [1_069_800]),
        ("12-B21-aseg-vs-table/aseg_table.tsv", 1, "brain", [1_069_800]),
    ],
)
def test_reported_freesurfer_case_gives_its_right_value(
    case: str, n_visits: int, region: str, values: list[float]
) -> None:
    cohort = load_cohort(CASES / case)
    assert len(cohort.visits) == n_visits
    volumes = cohort.volumes
    assert volumes.loc[volumes["region"] == region, "volume_mm3"].tolist() == values


@needs_cases
def test_reported_bids_cases_give_their_right_records() -> None:
    def read(case: str, **stated: str) -> pd.DataFrame:
        return read_records(CASES / case / "ds", reading=Reading(**stated)).frame

    long = read("04-B18-long-and-cross")
    assert (long["left_hippocampus_mm3"] + long["right_hippocampus_mm3"])[:2].tolist() == [
        6650,
        6550,
    ]
    assert (read("13-B19-fs5-icv")["head_size_mm3"] == 1_512_000.5).all()
    assert read("18-B17-fmriprep-freesurfer")["left_hippocampus_mm3"].notna().all()
    first = read("15-B05-dseg-of-other-run").iloc[0]
    assert "run-2" in first["image_path"]
    assert "run-2" in first["segmentation_path"]
    chosen = read("17-B33-two-pipelines", pipeline="synthseg")
    assert chosen["segmentation_path"].str.contains("derivatives/synthseg").all()
    assert len(read("19-B28-longitudinal-no-scan-at-one-visit")) == 9
    for case, words in (
        ("02-B20-fs-base-fallback/fs", "no sub-02_ses-02/stats/aseg.stats|sub-01_ses-02"),
        ("05-B30-unnumbered-sessions/ds", "time of the visit ses-followup is unknown"),
    ):
        with pytest.raises(CohortError, match=words):
            load_cohort(CASES / case)


def test_description_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    write_people(tmp_path, "participant_id age sex diagnosis\nsub-1 70 F CN\n")
    text = json.dumps({"Name": "A study"})
    (tmp_path / "dataset_description.json").write_text(text, encoding="utf-8-sig")
    assert load_cohort(tmp_path).name == "A study"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["sub-1_FLAIR.nii.gz"], "sub-1_FLAIR.nii.gz"),
        (["sub-1_acq-space_FLAIR.nii"], "sub-1_acq-space_FLAIR.nii"),
        (["sub-1_FLAIR.nii", "sub-1_run-2_FLAIR.nii"], "sub-1_FLAIR.nii"),
        (["sub-1_run-1_FLAIR.nii", "sub-1_run-2_FLAIR.nii"], r"several \(sub-1_run-1_FLAIR"),
        (["sub-2_FLAIR.nii", "sub-1_space-MNI_FLAIR.nii", "sub-1_T2w.nii"], "got none"),
        (["FLAIR/sub-1_FLAIR.nii"], "got none"),
    ],
)
def test_another_contrast_is_of_the_same_visit(
    tmp_path: Path, files: list[str], found: str
) -> None:
    image = tmp_path / "sub-1_T1w.nii.gz"
    touch(tmp_path, image.name, *files)
    if found in files:
        assert find_contrast(image, "FLAIR") == tmp_path / found
        return
    with pytest.raises(CohortError, match=f"sub-1_T1w.nii.gz: one FLAIR image .*{found}"):
        find_contrast(image, "FLAIR")


@pytest.mark.parametrize("names", [("1", "2"), ("M000", "later")])
def test_times_that_nothing_tells_are_asked_for_where_they_go(
    names: tuple[str, str], tmp_path: Path
) -> None:
    write_people(tmp_path, "participant_id age sex diagnosis\nsub-1 70 F CN\n")
    for name in names:
        (tmp_path / "sub-1" / f"ses-{name}" / "anat").mkdir(parents=True)
    with pytest.raises(CohortError, match=r"in each person's sub-\*_sessions\.tsv"):
        load_cohort(tmp_path)
