"""People of generator 2 with a baseline scan each: what their tables, scans and futures hold.

A regression from a baseline to the change needs many people and no second scan. So only the
baseline is rendered; the course says what becomes of the volumes.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from brlp_models.baselines.people import BaselinePeople
from brlp_models.errors import ModelError
from brlp_models.scans.grid import Grid, resample
from brlp_models.scans.intensity import scale_intensity
from brlp_models.training.banks.synthetic_people import align_by_moments, find_brain
from cohorts.errors import CohortError
from cohorts.schema import HEAD_SIZE
from cohorts.sources.columns import name_volume_column
from cohorts.synthetic.anatomy.base import BaseAnatomy
from cohorts.synthetic.anatomy.deformation import TARGET_REGIONS
from cohorts.synthetic.intensity import acquire_scan
from cohorts.synthetic.parameters import GeneratorParameters
from cohorts.synthetic.person_scans import SyntheticScan, synthesize_scans
from cohorts.synthetic.signs.measures import measure_signs
from cohorts.synthetic.signs.sampling import Signs, sample_signs
from cohorts.synthetic.tabular import (
    Course,
    complete_volumes,
    measure_volumes,
    simulate_course,
    tabulate_participants,
)
from cohorts.volumes.volumetry import compute_label_volumes

MONTHS: Final = (0.0, 24.0, 48.0)
"""When the hippocampus's exact volume is kept, as `hippocampus_<months>`."""

PART: Final = 20
"""People in a file; an interrupted bank loses one part at most."""

_RESOLUTION_MM: Final = 2.0
_TRIES: Final = 20
_NEAREST: Final = 3


def write_measured_people(
    bases: Sequence[BaseAnatomy],
    folder: Path,
    n_people: int,
    grid: Grid,
    *,
    seed: int,
    parameters: GeneratorParameters,
    report: Callable[[int], None] = lambda _: None,
) -> None:
    """Write people with baseline scans, part by part; parts that are there are kept.

    `part-<n>.parquet` has a row a person: the table with a segmentation's error (`table_...`), the
    exact volumes (`true_...`, `hippocampus_<months>`), the course, the signs (`sign_...`), and the
    signs as measured in the ideal 2 mm image and in two acquisitions of it (`ideal_...`,
    `first_...`, `second_...`). `part-<n>.npy` holds the first acquisition on the grid, 0 to 255.

    Parameters
    ----------
    bases
        The anatomies that people are drawn from: one of the three whose ventricles are nearest.
    folder
        The bank; one generator's alone.
    n_people
        How many, rounded up to whole parts.
    grid
        The model's.
    seed
        Person k depends on (seed, k) only.
    parameters
        A generator with signs.
    report
        Called with the number of people that are there.

    Raises
    ------
    ModelError
        For a generator without signs, or a folder of another one.
    """
    if parameters.signs is None:
        raise ModelError("People whose signs are measured come from generator 2, not from 1.")
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / "generator.txt"
    if mark.is_file() and mark.read_text(encoding="utf-8") != parameters.digest():
        raise ModelError(f"{folder} holds people of another generator; choose another folder.")
    mark.write_text(parameters.digest(), encoding="utf-8")
    shares = [_measure_ventricles(base) for base in bases]
    for start in range(0, n_people, PART):
        stem = folder / f"part-{start // PART:05d}"
        if not stem.with_suffix(".parquet").is_file():
            made = [
                make_measured_person(bases, shares, grid, parameters, (seed, k))
                for k in range(start, start + PART)
            ]
            np.save(stem.with_suffix(".npy"), np.stack([image for _, image in made]))
            # the table comes last: a part with a table is whole
            pd.DataFrame([row for row, _ in made]).to_parquet(stem.with_suffix(".parquet"))
        report(start + PART)


def read_measured_table(folder: Path) -> pd.DataFrame:
    """Return the rows of all parts of `write_measured_people`.

    Raises
    ------
    ModelError
        Where no part is there.
    """
    return pd.concat([pd.read_parquet(path) for path in _list_parts(folder)], ignore_index=True)


def read_measured_people(folder: Path) -> BaselinePeople:
    """Return the people of a bank as a baseline learns from them; scans are read when asked for.

    Their table is the one with a segmentation's error, their change is exact, and their signs are
    those that the scans were made with.
    """
    rows = read_measured_table(folder)
    rows = rows.set_index(rows["person"].map("sub-measured{:05d}".format).rename("participant_id"))
    table = rows[["sex", "age_years", "diagnosis", "apoe4", "education_years", "mmse"]].join(
        _select(rows, "table_").rename(columns=name_volume_column)
    )
    start = rows["hippocampus_0"]
    change = {m: 100 * (rows[f"hippocampus_{m:.0f}"] / start - 1) for m in MONTHS[1:]}
    signs = _select(rows, "sign_")
    signs["lesion_mm3"] = np.log(signs["lesion_mm3"])
    scans = [np.load(part.with_suffix(".npy"), mmap_mode="r") for part in _list_parts(folder)]
    images = [image for part in scans for image in part]
    return BaselinePeople(table, pd.DataFrame(change), images, signs, rows["base_anatomy"])


def draw_tabled_people(n: int, *, seed: int, parameters: GeneratorParameters) -> BaselinePeople:
    """Return people of a generator without scans, who are nearly free: an archive to fit on.

    Parameters
    ----------
    n
        How many.
    seed
        Decides everything.
    parameters
        The generator's.
    """
    rng = np.random.default_rng(seed)
    course = simulate_course(n, rng=rng, visits_months=MONTHS, parameters=parameters.cohort)
    course = replace(course, label="tabled")
    people = tabulate_participants(course, rng, parameters.cohort).set_index("participant_id")
    for region, own in measure_volumes(course, rng, parameters.cohort).items():
        people[name_volume_column(region)] = own[:, 0]
    start, *later = course.volumes["hippocampus"].T
    change = {m: 100 * (own / start - 1) for m, own in zip(MONTHS[1:], later, strict=True)}
    return BaselinePeople(people, pd.DataFrame(change, index=people.index))


def _select(rows: pd.DataFrame, prefix: str) -> pd.DataFrame:
    chosen = rows[[name for name in rows if str(name).startswith(prefix)]]
    return chosen.rename(columns=lambda name: str(name).removeprefix(prefix))


def read_measured_scans(folder: Path) -> npt.NDArray[np.uint8]:
    """Return the scans of all parts, (people, x, y, z), 0 to 255, in the table's order."""
    return np.concatenate([np.load(path.with_suffix(".npy")) for path in _list_parts(folder)])


def _list_parts(folder: Path) -> list[Path]:
    tables = sorted(folder.glob("part-*.parquet"))
    if not tables:
        raise ModelError(f"{folder} holds no part-*.parquet; make its people first.")
    return tables


def make_measured_person(
    bases: Sequence[BaseAnatomy],
    shares: Sequence[float],
    grid: Grid,
    parameters: GeneratorParameters,
    seed: tuple[int, int],
) -> tuple[dict[str, Any], npt.NDArray[np.uint8]]:
    """Return a person's row and scan; see `write_measured_people`.

    Parameters
    ----------
    bases, grid, parameters
        As there.
    shares
        Of each base's head that is ventricle.
    seed
        The bank's, and the person's number.

    Raises
    ------
    CohortError
        Where nobody drawn has volumes that an anatomy can reach.
    """
    for attempt in range(_TRIES):
        rng = np.random.default_rng([*seed, attempt])
        course = simulate_course(1, rng=rng, visits_months=MONTHS, parameters=parameters.cohort)
        signs = sample_signs(course.people, course.months / 12, rng=rng, parameters=parameters)
        if signs is None:
            raise CohortError("Signs can be measured in scans of generator 2 alone.")
        true = complete_volumes(course, course.volumes)
        wanted = float(true["lateral_ventricle"][0, 0] / course.people.head_size_mm3[0])
        nearest = np.argsort(np.abs(np.log(np.array(shares) / wanted)))[:_NEAREST]
        base = bases[int(rng.choice(nearest))]
        try:
            scan = synthesize_scans(
                base,
                [{region: float(true[region][0, 0]) for region in TARGET_REGIONS}],
                rng=rng,
                head_size_mm3=float(course.people.head_size_mm3[0]),
                resolution_mm=_RESOLUTION_MM,
                parameters=parameters,
                signs=signs.pick(0, slice(1)),
            )[0]
        except CohortError:
            # the anatomy cannot reach these volumes without folding: another person is drawn
            continue
        row = _describe(course, signs, parameters, rng)
        again = acquire_scan(scan.ideal, scan.ideal > 0, rng=rng, parameters=parameters.appearance)
        images = {"ideal": scan.ideal, "first": scan.t1w, "second": again}
        for name, image in images.items():
            found = measure_signs(image, scan.labels, _RESOLUTION_MM**3)
            row |= {f"{name}_{sign}": value for sign, value in found.items()}
        to_mni = align_by_moments(scan, rng)
        row |= {
            "seed": seed[0],
            "person": seed[1],
            "base_anatomy": base.name,
            "determinant": float(np.linalg.det(to_mni[:3, :3])),
        }
        return row, _place(scan, to_mni, grid)
    raise CohortError("No volumes could be drawn that the base anatomies can reach.")


def _measure_ventricles(base: BaseAnatomy) -> float:
    volumes = compute_label_volumes(base.labels, 1.0)
    return volumes["lateral_ventricle"] / volumes[HEAD_SIZE]


def _describe(
    course: Course, signs: Signs, parameters: GeneratorParameters, rng: np.random.Generator
) -> dict[str, Any]:
    table = measure_volumes(course, rng, parameters.cohort)
    true = complete_volumes(course, course.volumes)
    hippocampus = course.volumes["hippocampus"][0]
    names = tabulate_participants(course, rng, parameters.cohort)
    shown = signs.tabulate(names["participant_id"].to_numpy(object))
    return {
        **{str(name): own for name, own in names.iloc[0].items()},
        **{f"table_{region}": float(own[0, 0]) for region, own in table.items()},
        **{f"true_{region}": float(own[0, 0]) for region, own in true.items()},
        **{f"hippocampus_{m:.0f}": float(v) for m, v in zip(MONTHS, hippocampus, strict=True)},
        "stage_years": float(course.people.stage_years[0]),
        "speed": float(course.people.speed[0]),
        "ageing_rate": float(course.people.ageing_rate[0]),
        **{f"sign_{name}": own for name, own in shown.iloc[0].items() if name != "participant_id"},
    }


def _place(
    scan: SyntheticScan, to_mni: npt.NDArray[np.float64], grid: Grid
) -> npt.NDArray[np.uint8]:
    source = Grid(scan.t1w.shape, scan.affine)
    brain = find_brain(scan.labels).astype(np.float32)
    mask = resample(brain, source, grid, source_to_target=to_mni) >= 0.5
    image, _ = scale_intensity(resample(scan.t1w, source, grid, source_to_target=to_mni), mask)
    return np.round(image * 255).astype(np.uint8)
