"""SYNTHETIC people with one scan each, at baseline, on the bundled model's grid.

They are of generator 2, signal strong, so that a scan tells what tables do not. Whatever came later
is a table, of the course that they were drawn with: nobody looks at follow-up scans. Person k
depends on the seed, the role and k alone, so that any of them can be made again.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from brlp_models.model.files import find_model_folder, read_config
from brlp_models.scans.files import make_nifti
from brlp_models.scans.grid import Grid
from brlp_models.training.banks.person_tables import (
    COVARIATES,
    MEASURED,
    build_course,
    tabulate_course,
)
from brlp_models.training.banks.synthetic_people import (
    align_by_moments,
    find_targets,
    place_scan,
)
from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.files.atomic import write_file
from cohorts.synthetic.anatomy.mni import load_mni_anatomy
from cohorts.synthetic.generators import choose_generator
from cohorts.synthetic.person_scans import synthesize_scans
from cohorts.synthetic.signs.sampling import sample_signs
from cohorts.synthetic.tabular import SOURCE, complete_volumes
from cohorts.synthetic.trajectories import SyntheticPeople, sample_people

MONTHS: Final = (0.0, 12.0, 24.0)
"""When the archive was seen, and when the truth of the screened is known."""

GENERATOR: Final = choose_generator(2, "strong")
"""Stronger than life: proves that what a scan tells reaches the answer."""

Role = Literal["archive", "screened"]

Spread = Callable[[Callable[[int], None], Sequence[int]], Iterable[None]]
"""Does work for each of several numbers: `map`, or that of processes."""

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
    determinant: float
    true: pd.DataFrame
    measured: pd.DataFrame
    scan: npt.NDArray[np.float32]


def write_baseline_scans(
    folder: Path,
    group: Group,
    *,
    spread: Spread = map,
    on_person: Callable[[int, int], None] = lambda *_: None,
) -> tuple[Cohort, pd.DataFrame]:
    """Write the baseline scans of people; who is there already is not made again.

    Parameters
    ----------
    folder
        Gets `scans/`, and in `made/` a file for each finished person.
    group
        Who.
    spread
        Makes people; in this process by default.
    on_person
        Told how many are there, and of how many.

    Returns
    -------
    Cohort
        The people with every visit; volumes are native and carry a segmentation's error of
        measurement. The scans lie in MNI space; the visits have their `determinant`.
    pandas.DataFrame
        The same volumes without that error, as `cohorts.synthetic.truth` keeps them.
    """
    folder = folder.absolute()
    for name in ("scans", "made"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    waiting = [k for k in group.numbers if not _locate(folder, group.name(k)).is_file()]
    with_one = partial(_write_person, folder, group)
    n_people = len(group.numbers)
    for done, _ in enumerate(spread(with_one, waiting), start=n_people - len(waiting) + 1):
        on_person(done, n_people)
    found = [json.loads(_locate(folder, group.name(k)).read_text("utf-8")) for k in group.numbers]
    participants = pd.DataFrame([one["participant"] for one in found])
    true = pd.DataFrame([row for one in found for row in one["true"]])
    measured = pd.DataFrame([row for one in found for row in one["measured"]])
    visits = _list_visits(participants, [one["determinant"] for one in found], folder)
    name = f"{group.role} people (synthetic)"
    return Cohort(participants, visits, measured, name=name, is_synthetic=True), true


def _list_visits(
    participants: pd.DataFrame, determinants: Sequence[float], folder: Path
) -> pd.DataFrame:
    people = participants[["participant_id", "age_years", "diagnosis"]]
    visits = people.assign(determinant=determinants).merge(
        pd.DataFrame({"months_from_baseline": MONTHS}), how="cross"
    )
    months = visits["months_from_baseline"]
    paths = [str(_locate_scan(folder, name)) for name in visits["participant_id"]]
    return visits.assign(
        session_id=[_name_session(month) for month in months],
        age_years=visits["age_years"] + months / 12,
        image_path=pd.Series(paths, dtype=object).where(months == 0, None),
        segmentation_path=None,
        determinant=visits["determinant"].where(months == 0),
    )


def _write_person(folder: Path, group: Group, number: int) -> None:
    # with more threads the last digits are others
    with threadpool_limits(1):
        made = _make_person(group, number)
    name = group.name(number)
    affine = np.asarray(read_config(find_model_folder("mini")).affine)
    make_nifti(made.scan, affine).to_filename(_locate_scan(folder, name))
    tables = {
        "participant": made.participant,
        "determinant": made.determinant,
        "true": made.true.to_dict("records"),
        "measured": made.measured.to_dict("records"),
    }
    write_file(_locate(folder, name), (json.dumps(tables) + "\n").encode())


def _make_person(group: Group, number: int) -> _Made:
    base, years = load_mni_anatomy(), np.array([MONTHS]) / 12
    for attempt in range(_ATTEMPTS):
        rng = group.make_rng(number, attempt)
        people = sample_people(1, rng=rng, parameters=GENERATOR.cohort)
        targets = find_targets(people, years, GENERATOR)
        signs = sample_signs(people, years, rng=rng, parameters=GENERATOR)
        try:
            (scan,) = synthesize_scans(
                base,
                targets[:1],
                rng=rng,
                head_size_mm3=float(people.head_size_mm3[0]),
                resolution_mm=2.0,
                parameters=GENERATOR,
                signs=None if signs is None else signs.pick(0, slice(1)),
            )
        except CohortError:
            # the anatomy cannot reach these volumes without folding: another person is drawn
            continue
        to_mni = align_by_moments(scan, rng)
        grid = Grid.of_config(read_config(find_model_folder("mini")))
        image = place_scan(scan, to_mni, grid)
        course = build_course(people, years, GENERATOR.cohort)
        tables = tabulate_course(course, rng, GENERATOR.cohort)
        name, first = group.name(number), tables[0]
        measured = [
            {key.removeprefix(MEASURED): v for key, v in own.items() if key.startswith(MEASURED)}
            for own in tables
        ]
        true = complete_volumes(course, course.volumes)
        exact = [{region: own[0, k] for region, own in true.items()} for k in range(len(MONTHS))]
        return _Made(
            _describe(name, people) | {key: first[key] for key in COVARIATES},
            float(np.linalg.det(to_mni[:3, :3])),
            _list_volumes(name, exact),
            _list_volumes(name, measured).assign(source=SOURCE),
            image[0],
        )
    raise CohortError(f"No volumes could be drawn that base anatomy {base.name} can reach.")


def _describe(name: str, people: SyntheticPeople) -> dict[str, Any]:
    return {
        "participant_id": name,
        "sex": "F" if people.is_female[0] else "M",
        "age_years": float(people.age_years[0]),
        "diagnosis": GENERATOR.cohort.groups[people.group[0]].diagnosis,
        "apoe4": int(people.n_alleles[0]),
    }


def _list_volumes(name: str, by_visit: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "participant_id": name,
                "session_id": _name_session(month),
                "months_from_baseline": month,
                "region": region,
                "volume_mm3": volume,
            }
            for month, volumes in zip(MONTHS, by_visit, strict=True)
            for region, volume in volumes.items()
        ]
    )


def _name_session(month: float) -> str:
    return f"month-{month:g}"


def _locate(folder: Path, name: str) -> Path:
    return folder / "made" / f"{name}.json"


def _locate_scan(folder: Path, name: str) -> Path:
    return folder / "scans" / f"{name}_T1w.nii.gz"
