"""SYNTHETIC people with one scan each, at baseline, on the bundled model's grid.

Whatever came later is a table: nobody looks at follow-up scans. Person k depends on the seed, the
role and k alone, so that any of them can be made again.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed

from brlp_models.model.files import find_model_folder, read_config
from brlp_models.scans.files import make_nifti
from brlp_models.scans.grid import Grid
from brlp_models.training.banks.evaluation_cohort import measure_with_error
from brlp_models.training.banks.synthetic_people import (
    align_by_moments,
    find_targets,
    measure_in_mni,
    place_on_grid,
)
from cohorts.atomic import write_file
from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.synthetic.anatomy.mni import load_mni_anatomy
from cohorts.synthetic.parameters import GeneratorParameters
from cohorts.synthetic.person_scans import synthesize_scans
from cohorts.synthetic.trajectories import SyntheticPeople, sample_people

MONTHS: Final = (0.0, 12.0, 24.0)
"""When the archive was seen, and when the truth of the screened is known."""

Role = Literal["archive", "screened"]

_ROLES: Final = ("archive", "screened")
_ATTEMPTS: Final = 20


@dataclass(frozen=True)
class Group:
    """Which people are made.

    Parameters
    ----------
    role
        Of people of one seed, those of one role are others than those of the other.
    numbers
        Which ones, from 0.
    seed
        Of everything about them.
    """

    role: Role
    numbers: Sequence[int]
    seed: int

    def name(self, number: int) -> str:
        """Return a person's identifier."""
        return f"{self.role}-{number:04d}"

    def make_rng(self, number: int, attempt: int) -> np.random.Generator:
        """Return the random numbers of one attempt to make a person."""
        return np.random.default_rng([self.seed, _ROLES.index(self.role), number, attempt])


@dataclass(frozen=True)
class _Made:
    """One person: what is known at baseline, and by visit the volumes, true and as measured."""

    participant: dict[str, Any]
    true: pd.DataFrame
    measured: pd.DataFrame
    scan: npt.NDArray[np.float32]


def write_baseline_scans(
    folder: Path, group: Group, *, workers: int = 1
) -> tuple[Cohort, pd.DataFrame]:
    """Write the baseline scans of people; who is there already is not made again.

    Parameters
    ----------
    folder
        Gets `scans/`, and in `made/` a file for each finished person.
    group
        Who.
    workers
        Processes.

    Returns
    -------
    Cohort
        The people with every visit; all volumes are in MNI space, as the scans are, and carry a
        segmentation's error of measurement.
    pandas.DataFrame
        The same volumes without that error, as `cohorts.synthetic.truth` keeps them.
    """
    folder = folder.absolute()
    for name in ("scans", "made"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    waiting = [k for k in group.numbers if not _locate(folder, group.name(k)).is_file()]
    with_one = partial(_write_person, folder, group)
    Parallel(n_jobs=workers, backend="loky")(delayed(with_one)(k) for k in waiting)
    found = [json.loads(_locate(folder, group.name(k)).read_text("utf-8")) for k in group.numbers]
    participants = pd.DataFrame([one["participant"] for one in found])
    true = pd.DataFrame([row for one in found for row in one["true"]])
    measured = pd.DataFrame([row for one in found for row in one["measured"]])
    visits = _list_visits(participants, folder)
    name = f"{group.role} people (synthetic)"
    return Cohort(participants, visits, measured, name=name, is_synthetic=True), true


def _list_visits(participants: pd.DataFrame, folder: Path) -> pd.DataFrame:
    visits = participants[["participant_id", "age_years", "diagnosis"]].merge(
        pd.DataFrame({"months_from_baseline": MONTHS}), how="cross"
    )
    months = visits["months_from_baseline"]
    paths = [str(_locate_scan(folder, name)) for name in visits["participant_id"]]
    return visits.assign(
        session_id=[_name_session(month) for month in months],
        age_years=visits["age_years"] + months / 12,
        image_path=pd.Series(paths, dtype=object).where(months == 0, None),
        segmentation_path=None,
    )


def _write_person(folder: Path, group: Group, number: int) -> None:
    made, name = _make_person(group, number), group.name(number)
    affine = np.asarray(read_config(find_model_folder("mini")).affine)
    make_nifti(made.scan, affine).to_filename(_locate_scan(folder, name))
    tables = {
        "participant": made.participant,
        "true": made.true.to_dict("records"),
        "measured": made.measured.to_dict("records"),
    }
    write_file(_locate(folder, name), (json.dumps(tables) + "\n").encode())


def _make_person(group: Group, number: int) -> _Made:
    parameters, base = GeneratorParameters(), load_mni_anatomy()
    years = np.array([MONTHS]) / 12
    for attempt in range(_ATTEMPTS):
        rng = group.make_rng(number, attempt)
        people = sample_people(1, rng=rng, parameters=parameters.cohort)
        targets = find_targets(people, years, parameters)
        try:
            (scan,) = synthesize_scans(
                base,
                targets[:1],
                rng=rng,
                head_size_mm3=float(people.head_size_mm3[0]),
                resolution_mm=2.0,
                parameters=parameters,
            )
        except CohortError:
            # the anatomy cannot reach these volumes without folding: another person is drawn
            continue
        to_mni = align_by_moments(scan, rng)
        grid = Grid.of_config(read_config(find_model_folder("mini")))
        image, _ = place_on_grid(scan, to_mni, grid)
        true = pd.DataFrame(
            _list_volumes(group.name(number), measure_in_mni(scan, to_mni), targets)
        )
        return _Made(
            _describe(group.name(number), people, parameters),
            true,
            measure_with_error(true, rng),
            image[0],
        )
    raise CohortError(f"No volumes could be drawn that base anatomy {base.name} can reach.")


def _describe(
    name: str, people: SyntheticPeople, parameters: GeneratorParameters
) -> dict[str, Any]:
    return {
        "participant_id": name,
        "sex": "F" if people.is_female[0] else "M",
        "age_years": float(people.age_years[0]),
        "diagnosis": parameters.cohort.groups[people.group[0]].diagnosis,
        "apoe4": int(people.n_alleles[0]),
    }


def _list_volumes(
    name: str, in_scan: dict[str, float], targets: list[dict[str, float]]
) -> Iterator[dict[str, Any]]:
    """Yield the true volumes in the scan, and how those that were drawn change from there."""
    first, *later = [_join_sides(volumes) for volumes in targets]
    for month, drawn in zip(MONTHS, (first, *later), strict=True):
        for key, volume in in_scan.items():
            region = key.removesuffix("_mm3")
            # what is left between the regions that were drawn is known from the scan alone
            if month > 0 and region not in drawn:
                continue
            yield {
                "participant_id": name,
                "session_id": _name_session(month),
                "months_from_baseline": month,
                "region": region,
                "volume_mm3": volume * (drawn[region] / first[region] if month > 0 else 1),
            }


def _join_sides(volumes: dict[str, float]) -> dict[str, float]:
    both = volumes["left_hippocampus"] + volumes["right_hippocampus"]
    others = {region: value for region, value in volumes.items() if "hippocampus" not in region}
    return {"hippocampus": both, **others}


def _name_session(month: float) -> str:
    return f"month-{month:g}"


def _locate(folder: Path, name: str) -> Path:
    return folder / "made" / f"{name}.json"


def _locate_scan(folder: Path, name: str) -> Path:
    return folder / "scans" / f"{name}_T1w.nii.gz"
