"""A study on real scans: four people of three open archives, predicted two years ahead.

    python docs/examples/real_scans_study.py DATA OUT

DATA holds the files of `SCANS`: AOMIC-PIOP2 sub-0001 (OpenNeuro ds002790, CC0), patients 01 (two
visits) and 07 of the open multiple sclerosis archives (github.com/muschellij2/open_ms_data, CC-BY,
Lesjak et al. 2016, 2017), the example scan of niimath (CC0). They become a BIDS dataset and go
through `trialsim run` unchanged: import, preprocessing, check, segmentation, prediction, ranking,
report. `OUT/pictures` shows each input beside its prediction, in the person's own space.

Nobody here is a candidate of an Alzheimer trial, and most lie outside of the bundled model's
range. The study shows that real files find their way, and how the report flags them.
"""

import shutil
import sys
from pathlib import Path
from typing import Any, Final

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
import typer

from cohorts.errors import TrialsimError
from reports.store.study import Study
from trialsim.study.making import STUDY, run_protocol
from trialsim.study.question import read_protocol

MS01: Final = "open_ms_longitudinal_patient01"
SCANS: Final = {
    ("sub-aomic0001", "ses-01"): "aomic_piop2_sub-0001/orig.mgz",
    ("sub-ms01", "ses-01"): f"{MS01}/study1_T1W.nii.gz",
    ("sub-ms01", "ses-02"): f"{MS01}/study2_T1W.nii.gz",
    ("sub-ms07", "ses-01"): "open_ms_cross_sectional/patient07_T1_N4_brain_MNI1mm.nii.gz",
    ("sub-niimath", "ses-01"): "t1_other/niimath_T1_skullstripped_0p8mm.nii.gz",
}
PARTICIPANTS: Final = """\
participant_id	age	sex
sub-aomic0001	25.5	M
sub-ms01	20	F
sub-ms07	53	F
sub-niimath	30	F
"""
MS01_SESSIONS: Final = """\
session_id	days_from_baseline
ses-01	0
ses-02	203
"""
ASSUMED: Final = (
    "sub-niimath: age 30 and sex F are INVENTED, its source states neither",
    "everybody: the diagnosis CN is ASSUMED, no source gives a cognitive diagnosis; "
    "sub-ms01 and sub-ms07 have multiple sclerosis",
)
PROTOCOL: Final = """\
[study]
title = "Real scans, with invented ages and diagnoses: a check of the path, evidence of nothing"
[cohort]
path = "bids"
diagnosis = "CN"
[prediction]
model = "{model}"
horizons_months = [24]
samples = 2
[selection]
strategies = ["random", "brlp"]
fractions_enrolled = [0.5, 1.0]
[design]
visits_months = [0, 12, 24]
slowing = 0.3
"""


def write_dataset(data: Path, folder: Path) -> None:
    """Write the scans as a BIDS dataset; the files are copied as they are."""
    for (person, session), source in SCANS.items():
        kind = source[source.index(".", source.rindex("/")) :]
        target = folder / person / session / "anat" / f"{person}_{session}_T1w{kind}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / source, target)
    (folder / "participants.tsv").write_text(PARTICIPANTS, encoding="utf-8")
    (folder / "sub-ms01/sub-ms01_sessions.tsv").write_text(MS01_SESSIONS, encoding="utf-8")


def draw_pictures(out: Path) -> None:
    """Draw each person's input, decoded baseline and prediction, three planes through the brain."""
    images = Study.open(out / "results" / STUDY, read_only=True).read("prediction_images")
    (out / "pictures").mkdir(exist_ok=True)
    for person, rows in images.groupby("participant_id"):
        paths = dict(zip(rows["kind"], rows["path"], strict=True))
        kinds = ("baseline", "reconstructed", "predicted")
        figure, axes = plt.subplots(
            3, 3, figsize=(9, 9), facecolor="black", layout="constrained", dpi=100
        )
        center = _find_center(nib.load(paths["predicted"]))
        for column, kind in zip(axes.T, kinds, strict=True):
            _draw(column, nib.load(paths[kind]), center)
            column[0].set_title(f"{person}: {kind}", color="white")
        figure.savefig(out / "pictures" / f"{person}.png")
        plt.close(figure)


def _find_center(image: Any) -> Any:
    """Return the middle of the brain, in the scanner's mm."""
    brain = np.argwhere(np.asanyarray(image.dataobj) > 0)
    return nib.affines.apply_affine(image.affine, brain.mean(axis=0))


def _draw(axes: Any, image: Any, center: Any) -> None:
    """Draw three planes; left is the person's left, up is up."""
    image = nib.as_closest_canonical(image)
    data = np.asanyarray(image.dataobj, dtype=float)
    place = nib.affines.apply_affine(np.linalg.inv(image.affine), center).round().astype(int)
    size = image.header.get_zooms()
    for axis, panel in enumerate(axes):
        across, up = (other for other in range(3) if other != axis)
        plane = np.take(data, place[axis], axis=axis).T
        panel.imshow(plane, cmap="gray", origin="lower", aspect=size[up] / size[across])
        panel.axis("off")


def main(data: Path, out: Path, model: str = "mini") -> None:
    """Write the dataset, run the study, draw the pictures."""
    write_dataset(data, out / "bids")
    for assumption in ASSUMED:
        typer.echo(f"ASSUMPTION: {assumption}.", err=True)
    (out / "protocol.toml").write_text(PROTOCOL.format(model=model), encoding="utf-8")
    protocol = read_protocol(out / "protocol.toml")
    try:
        run_protocol(protocol, command=f"trialsim run {out / 'protocol.toml'}")
    except TrialsimError as error:
        # four people are predicted and ranked, but stand for no trial
        typer.echo(str(error), err=True)
    draw_pictures(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
