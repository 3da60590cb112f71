"""On whom a model was trained, told without naming anyone.

The folder of a model that was trained on a cohort holds one salted hash for each of its people.
Whoever has the ids of other people can see whether the model knows them; whoever has the folder
alone sees how many there were. Ids that are as short as a number can be guessed one by one all the
same, so that hashing one takes some milliseconds.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pandas as pd

from brlp_models.errors import ModelError
from brlp_models.model.model import BrlpModel
from cohorts.cohort import Cohort
from cohorts.counting import tally

TRAINING_PEOPLE: Final = "training_people.json"

CALIBRATION_PEOPLE: Final = "calibration_people.json"
"""On whom a copy of a model was calibrated, told in the same way."""

_ROUNDS: Final = 10_000
"""Of PBKDF2 (RFC 8018)."""

_MOST_ROUNDS: Final = 100 * _ROUNDS
"""What a file may ask for: a second a person."""


def describe_training_people(people: Iterable[str], before: Path | None = None) -> str:
    """Return the text of the file that says on whom a model was trained.

    Parameters
    ----------
    people
        Their ids.
    before
        The file of the model before, whose people the new one knows too.

    Raises
    ------
    ModelError
        Where that file cannot be read.
    """
    salt, rounds, known = _read(before) if before else (secrets.token_hex(16), _ROUNDS, set())
    hashes = sorted(known | {_hash(name, salt, rounds) for name in people})
    content = {"hash": "PBKDF2-HMAC-SHA256", "rounds": rounds, "salt": salt, "people": hashes}
    return json.dumps(content, indent=1) + "\n"


def find_training_people(
    folder: Path, people: Iterable[str], file: str = TRAINING_PEOPLE
) -> list[str]:
    """Return those of `people` on whom the model in `folder` was trained, as one of its files says.

    Nobody where the folder does not say: a model of synthetic people of its own, or one from
    elsewhere.

    Raises
    ------
    ModelError
        Where the folder's list cannot be read.
    """
    path = folder / file
    if not path.is_file():
        return []
    salt, rounds, known = _read(path)
    return [name for name in people if _hash(name, salt, rounds) in known]


def _read(path: Path) -> tuple[str, int, set[str]]:
    """Return the salt, the rounds and the hashes of a file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        salt, known = str(content["salt"]), set(content["people"])
        rounds = int(content["rounds"])
        if not 1 <= rounds <= _MOST_ROUNDS:
            raise ValueError(f"rounds must lie between 1 and {_MOST_ROUNDS}, got {rounds}")
        bytes.fromhex(salt)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is no list of the people of a training: {error!r}.") from error
    return salt, rounds, known


def describe_calibration_people(cohort: Cohort, model: BrlpModel) -> str:
    """Return the text of the file that says on whom a copy of a model was calibrated.

    Those that the model was calibrated on before are among them. People are known by id and age,
    since simulated cohorts share ids.
    """
    before = None if model.folder is None else model.folder / CALIBRATION_PEOPLE
    known = before if before is not None and before.is_file() else None
    return describe_training_people(_identify(cohort), known)


def refuse_people_known(model: BrlpModel, cohort: Cohort) -> None:
    """Raise `ModelError` where a model was trained or calibrated on some of a cohort's people."""
    refuse_people_trained_on(model, cohort)
    names = _identify(cohort)
    known = (
        []
        if model.folder is None
        else find_training_people(model.folder, names, CALIBRATION_PEOPLE)
    )
    if known:
        raise ModelError(
            f"{model.config.name} was calibrated on {len(known)} of these "
            f"{tally(len(names), 'people')} "
            f"(first: {known[0]}), so its intervals cannot be judged by them; take others."
        )


def refuse_people_trained_on(model: BrlpModel, cohort: Cohort) -> None:
    """Raise `ModelError` where a model was trained on some of a cohort's people."""
    if model.folder is None:
        return
    people = [str(person) for person in cohort.participants["participant_id"]]
    known = find_training_people(model.folder, people)
    if known:
        shared = (
            " Simulated people have names of their own with `cohort synthesize --label`."
            if cohort.is_synthetic
            else ""
        )
        raise ModelError(
            f"{model.config.name} was trained on {len(known)} of these "
            f"{tally(len(people), 'people')} "
            f"(first: {known[0]}), whose future it has seen; take others.{shared}"
        )


def standardize_person(name: str) -> str:
    """Return the id of a person as everyone writes it.

    One person has one id, in any case, with or without what BIDS puts before it.

    Examples
    --------
    >>> [standardize_person(name) for name in ("sub-A01", " a01")]
    ['a01', 'a01']
    """
    return name.strip().removeprefix("sub-").casefold()


def _hash(name: str, salt: str, rounds: int = _ROUNDS) -> str:
    text = standardize_person(name).encode()
    return hashlib.pbkdf2_hmac("sha256", text, bytes.fromhex(salt), rounds).hex()


def _identify(cohort: Cohort) -> list[str]:
    ages = cohort.baseline()["age_years"]
    return [f"{name}, aged {age:.2f}" if pd.notna(age) else str(name) for name, age in ages.items()]
