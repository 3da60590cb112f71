"""The demonstration: SYNTHETIC people are screened by scan, an archive stands for their future.

What truly becomes of the screened is kept back until the study has answered.
"""

import json
import math
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from threading import Thread
from typing import Final

import pandas as pd
from filelock import FileLock, Timeout
from scipy.stats import t as student

from brlp_models.demonstration import N_WORKERS
from brlp_models.demonstration.archive import SETTINGS, copy_archive
from brlp_models.errors import ModelError
from cohorts.counting import tally
from cohorts.files.atomic import write_file
from cohorts.files.folder import is_cohort_folder
from cohorts.synthetic.truth import write_generator, write_true_volumes
from trialsim.study.making import STUDY, Listener, make_study
from trialsim.study.question import read_protocol
from trialsim.study.result import StudyResult
from trialsim.study.steps.prediction import PREDICTING
from trialsim.workers.processes import Processes, import_all

KEPT_BACK: Final = "kept-back"
"""The folder of what nobody who plans a trial can know."""

_NORMAL: Final = NormalDist()
_Z95: Final = _NORMAL.inv_cdf(0.975)

_RECORD: Final = "demonstration.json"
"""The file that says of how many people, and of which seed, a demonstration is."""

_LOCK: Final = "demonstration.lock"

_DESIGN: Final = """\
[design]
visits_months = [0, 12, 24]
unit = "log_percent"
slowing = 0.3
analyses = {analyses}
dropout = {{ control = 0.2 }}

[costs]
currency = "EUR"
screening = 1500
participant = 25000
"""

_PROTOCOL: Final = """\
# The demonstration: SYNTHETIC people only, whose scans tell more of their future than in life.

[study]
title = "Demonstration: synthetic people, whose scans tell more than in life"
seed = {seed}
output = "results"

# screened: a scan at baseline, and nothing later. archive: other people, followed for two years
[cohort]
path = "screened"
training = "archive"

# what reads the scan tells the model; one draw keeps the demonstration short. The archive was
# predicted in the same way
[prediction]
model = "mini"
context_from = "{context_from}"
horizons_months = {horizons_months}
samples = {samples}
save_images = false

[selection]
predictions = "archive/predictions.csv"
strategies = ["random", "regression", "brlp", "stacked"]
fractions_enrolled = [0.5, 0.75, 1.0]
fast_progressor = {{ top_fraction = 0.3, horizon_months = 24 }}

{design}
[simulation]
sample_sizes = [50, 100, 150, 200, 300, 400]
n_simulations = 1000
n_bootstrap = 300
workers = {workers}
"""

_PROPOSED: Final = "proposed"

_REVEALED: Final = """\
# The same trial, with what truly became of the SYNTHETIC screened people.

[study]
title = "What a trial would have found"
seed = {seed}
output = "found"

[cohort]
path = "."

[selection]
scores = "scores.csv"
strategies = ["random", "{proposed}"]
fractions_enrolled = {fractions}

{design}
[simulation]
sample_sizes = [{half}, {whole}]
n_simulations = 1000
n_bootstrap = 300
workers = {workers}
"""


def write_demonstration(folder: Path, *, n_people: int, seed: int, listener: Listener) -> Path:
    """Write the screened people, the archive and the protocol; return the protocol.

    What is finished stays, so that an interrupted demonstration goes on.

    Parameters
    ----------
    folder
        Of the demonstration.
    n_people, seed
        How many are screened, and of which seed.
    listener
        Who is told.

    Raises
    ------
    ModelError
        Where the folder holds something else under the names that are written, a demonstration of
        other people, or that of another version.
    """
    # paths in a cohort stay what they are, wherever a study that reads it lies
    folder = folder.absolute()
    _claim(folder, {"people": n_people, "seed": seed})
    copy_archive(folder / "archive")
    if not is_cohort_folder(folder / "screened"):
        listener.tell("Making SYNTHETIC people to be screened")
        _write_screened(folder, n_people, seed, listener)
    return write_protocol(folder, seed=seed)


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Let nobody else make a demonstration in the folder meanwhile.

    Raises
    ------
    ModelError
        Where somebody is making one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / _LOCK).acquire(timeout=0):
            yield
    except Timeout as error:
        raise ModelError(
            f"Another `trialsim demo` is at work in {folder}: wait for its end, or name another "
            "folder."
        ) from error


def _claim(folder: Path, asked: Mapping[str, int]) -> None:
    """Write what the folder is the demonstration of; refuse to write over anything else."""
    record = folder / _RECORD
    names = ("archive", "screened", KEPT_BACK, "protocol.toml", "results")
    if there := [name for name in names if (folder / name).exists()]:
        if not record.is_file():
            raise ModelError(
                f"{folder} holds {', '.join(there)}, of another version's demonstration or of "
                f"something else: remove {folder}, or name another folder."
            )
        if (found := _read_record(record)) != asked:
            shown = [" and ".join(f"{key} {one[key]}" for key in asked) for one in (found, asked)]
            raise ModelError(
                f"{folder} holds the demonstration of {shown[0]}, not of {shown[1]}: remove it, or "
                "name another folder."
            )
    write_file(record, (json.dumps(asked) + "\n").encode())


def _read_record(path: Path) -> dict[str, int]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: int(content[name]) for name in ("people", "seed")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} does not say of whom the demonstration is: remove {path.parent}, or name "
            "another folder."
        ) from error


def write_protocol(folder: Path, *, seed: int) -> Path:
    """Write what the demonstration asks, and return the file."""
    protocol = folder / "protocol.toml"
    design = _DESIGN.format(analyses='["mmrm"]')
    text = _PROTOCOL.format(seed=seed, design=design, workers=N_WORKERS, **SETTINGS)
    protocol.write_text(text, encoding="utf-8")
    return protocol


def _write_screened(folder: Path, n_people: int, seed: int, listener: Listener) -> None:
    from brlp_models.demonstration.people import GENERATOR, Group, write_baseline_scans

    # this process only waits for the others meanwhile
    Thread(target=import_all, args=[PREDICTING], daemon=True).start()
    workers = Processes(N_WORKERS)
    group = Group("screened", range(n_people), seed)
    cohort, truth = write_baseline_scans(
        folder / "screened",
        group,
        spread=workers.map,
        on_person=lambda done, total: listener.on_progress("Making people", done, total),
    )
    workers.get_ready(*PREDICTING)
    followed = folder / KEPT_BACK
    cohort.write(followed)
    write_true_volumes(truth, followed)
    write_generator(GENERATOR, followed)
    cohort.until(0).write(folder / "screened")


@dataclass(frozen=True)
class Found:
    """What a trial of the proposed choice would have found.

    Attributes
    ----------
    n_screened, n_chosen
        People screened, and those of them whom the proposed strategy enrolls.
    n_proposed
        People of the proposed trial, both arms.
    loss_said, loss_true, loss_of_all
        Mean loss to the last visit: of the proposed choice as the archive had it, of the people
        chosen, of everyone screened; of the last two with the 95 % interval of so few people.
    power, power_lower, power_upper
        That the proposed trial has with the people chosen, with that interval.
    n_needed, n_needed_lower, n_needed_upper
        People of a trial of them with the power that was asked for, with that interval.
    """

    n_screened: int
    n_chosen: int
    n_proposed: int
    loss_said: "Loss"
    loss_true: "Loss"
    loss_of_all: "Loss"
    power: float
    power_lower: float
    power_upper: float
    n_needed: float
    n_needed_lower: float
    n_needed_upper: float

    def __str__(self) -> str:
        """Return it in sentences."""
        return (
            f"The truth that was kept back: the {self.n_chosen} chosen of "
            f"{tally(self.n_screened, 'people')} "
            f"screened lose {self.loss_true} in two years, everyone screened {self.loss_of_all}; "
            f"the archive had said {self.loss_said.percent:.1f} % of the chosen. A trial of "
            f"{self.n_proposed} such people would have had a power of {self.power:.0%} "
            f"({self.power_lower:.0%} to {self.power_upper:.0%}); the target needs "
            f"{self.n_needed:.0f} ({self.n_needed_lower:.0f} to {self.n_needed_upper:.0f}). The "
            f"intervals (95 %) are so wide because {tally(self.n_chosen, 'people')} tell little."
        )


@dataclass(frozen=True)
class Loss:
    """A mean loss of some people, 100 ln of the volume, with the 95 % interval of so few."""

    value: float
    lower: float
    upper: float

    @property
    def percent(self) -> float:
        """The geometric mean of what they lose, in percent of their first volume."""
        return _to_percent(self.value)

    def __str__(self) -> str:
        """Return it in percent, with its interval."""
        lower, upper = _to_percent(self.lower), _to_percent(self.upper)
        return f"{self.percent:.1f} % ({lower:.1f} to {upper:.1f})"


def _to_percent(loss: float) -> float:
    return -100 * math.expm1(-loss / 100)


def reveal(folder: Path, result: StudyResult, *, seed: int, listener: Listener) -> Found:
    """Compare what the study said with what was kept back.

    Parameters
    ----------
    folder
        Of the demonstration.
    result
        Its study.
    seed
        Of the trials that are simulated.
    listener
        Who is told.
    """
    kept = folder.absolute() / KEPT_BACK
    said = result.table("proposed_sizes").iloc[0]
    n_proposed = int(said["n_control_proposed"] + said["n_treatment_proposed"])
    scores = _pick(result.table("scores"), said[["strategy"]])
    own = scores.set_index("participant_id")["score"].rename(_PROPOSED)
    own.to_csv(kept / "scores.csv")
    text = _REVEALED.format(
        seed=seed,
        proposed=_PROPOSED,
        fractions=sorted({float(said["fraction_enrolled"]), 1.0}),
        design=_DESIGN.format(analyses=f'["{said["analysis"]}"]'),
        half=n_proposed // 2,
        whole=n_proposed,
        workers=N_WORKERS,
    )
    (kept / "protocol.toml").write_text(text, encoding="utf-8")
    listener.tell("Looking at what became of the people screened")
    question = read_protocol(kept / "protocol.toml")
    true = make_study(
        question,
        question.study.output / STUDY,
        command=shlex.join(["trialsim", "run", str(kept / "protocol.toml")]),
        # two numbers are read, and no report
        until="simulate",
        listener=Listener(on_progress=listener.on_progress),
    )
    keys = ["strategy", "fraction_enrolled"]
    choice = pd.Series([_PROPOSED, said["fraction_enrolled"]], keys)
    sizes = _pick(true.table("sample_sizes"), choice)
    powers = _pick(true.table("operating_characteristics"), choice)
    at_proposed = powers.sort_values("n_control").iloc[-1]
    (needed,) = sizes.to_dict("records")
    per_control = n_proposed / float(said["n_control_proposed"])
    losses = (
        _find_loss(result, said[keys]),
        _find_loss(true, choice),
        _find_loss(true, pd.Series(["random", 1.0], keys)),
    )
    power = float(at_proposed["power"])
    # what is sought for one power tells of the other: the effect over its error goes with the root
    shifts = [
        (needed["n_control"] / needed[f"n_control_{end}_cohort"]) ** 0.5
        for end in ("upper", "lower")
    ]
    n_screened = result.table("participants")["participant_id"].nunique()
    return Found(
        n_screened,
        int(at_proposed["pool_size"]),
        n_proposed,
        *losses,
        power,
        *(_NORMAL.cdf((_NORMAL.inv_cdf(power) + _Z95) * k - _Z95) for k in shifts),
        *(
            per_control * float(needed[name])
            for name in ("n_control", "n_control_lower_cohort", "n_control_upper_cohort")
        ),
    )


def _pick(table: pd.DataFrame, choice: pd.Series) -> pd.DataFrame:
    return table[(table[list(choice.index)] == choice).all(axis=1)]


def _find_loss(result: StudyResult, choice: pd.Series) -> Loss:
    moments = _pick(result.table("pool_moments"), choice).set_index(["quantity", "other"])
    first, last = "month 0", "month 24"
    at_last, known = moments.loc[[(last, last)]].iloc[0], moments["covariance"]
    mean, n = float(at_last["true_change"]), int(at_last["pool_size"])
    variance = known[last, last] + known[first, first] - 2 * known[first, last]
    half = float(student.ppf(0.975, n - 1)) * (variance / n) ** 0.5
    return Loss(-mean, -mean - half, -mean + half)
