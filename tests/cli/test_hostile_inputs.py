"""Whatever a file or a setting holds, each command ends in a sentence: no traceback, no crash file.

A few inputs of each kind; `make test-faults` takes ten times as many (`FAULTS` multiplies both).
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from brlp_models.auxiliary.files import load_auxiliary
from brlp_models.auxiliary.leaspy_files import read_leaspy_file
from brlp_models.model.files import find_model_folder
from brlp_models.model.folder import load_model
from brlp_models.model.training_people import (
    TRAINING_PEOPLE,
    describe_training_people,
    find_training_people,
)
from brlp_models.training.recipe import load_recipe
from cohorts.errors import TrialsimError
from cohorts.synthetic.tabular import synthesize_table
from trialsim.cli.app import app

RUNNER = CliRunner()
ROUNDS = round(3 * float(os.environ.get("FAULTS", "1")))

HOSTILE = [
    *(
        "",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "-1",
        "0",
        "9" * 400,
        "1e-320",
        "true",
        "null",
        "[]",
        "{}",
    ),
    *("'", '"', "../../etc/passwd", "~nobody/x", "%s%n", "{0}", "\\", "\x00", "\x1b[31m", "\u202e"),
    *(
        "'; DROP TABLE runs; --",
        "=1+1",
        "[" * 3000,
        "🧠",
        "\ud7ff",
        "participant_id",
        "value",
        "run_id",
    ),
    *("2024-02-30", "1970-01-01T00:00:00Z", "sub-*", "a" * 3000, "None", "1,5", "0x10", "१"),
]
PROTOCOL = """
[study]
seed = 1
[cohort]
path = "people.csv"
age_unit = "years"
eligibility = ["mmse >= 20", "age_years between 55 and 85"]
[selection]
strategies = ["random", "baseline_volume"]
fractions_enrolled = [0.5, 1.0]
[selection.fast_progressor]
top_fraction = 0.3
[design]
endpoint = "hippocampus"
visits_months = [0, 12, 24]
effect = 0.25
[simulation]
n_simulations = 50
sample_sizes = [100]
"""


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """Return the content with a bit, a piece, its end, or a word of it replaced."""
    data, place = bytearray(content), int(rng.integers(max(len(content), 1)))
    match rng.integers(7):
        case 0:
            data[place : place + 1] = (
                bytes([data[place] ^ 1 << int(rng.integers(8))]) if data else b""
            )
        case 1:
            del data[place:]
        case 2:
            data[place : place + 64] = rng.bytes(64)
        case 3:
            data[place : place + 16] = data[place : place + 16] * 50
        case 4:
            data = bytearray("\ufeff".encode("utf-16")) + data
        case _:
            words = list(re.finditer(rb"[\w.-]+", content)) or [re.match(rb"", b"")]
            word = words[int(rng.integers(len(words)))]
            assert word is not None
            hostile = HOSTILE[int(rng.integers(len(HOSTILE)))].encode()
            data[word.start() : word.end()] = hostile
    return bytes(data)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a sound input of each kind."""
    folder = tmp_path_factory.mktemp("sources")
    cohort, _ = synthesize_table(40, rng=np.random.default_rng(3), visits_months=(0, 12, 24))
    wide = cohort.visit_volumes(["hippocampus", "brain"]).rename(
        columns={"hippocampus": "hippocampus_mm3", "brain": "brain_mm3"}
    )
    people = wide.merge(cohort.participants.drop(columns="age_years"))
    people.to_csv(folder / "people.csv", index=False)
    people.to_csv(folder / "people.tsv", index=False, sep="\t")
    people.to_parquet(folder / "people.parquet", index=False)
    cohort.write(folder / "cohort")
    scores = cohort.participants[["participant_id"]].assign(mine=np.arange(40.0))
    scores.to_csv(folder / "scores.csv", index=False)
    (folder / "protocol.toml").write_text(PROTOCOL.replace("people.csv", "absent.csv"))
    (folder / "profile.toml").write_text('age_unit = "years"\n[columns]\nmmse = "mmse"\n')
    bids = folder / "bids"
    (bids / "sub-01" / "anat").mkdir(parents=True)
    (bids / "participants.tsv").write_text(
        "participant_id\tage\tsex\tdiagnosis\nsub-01\t70\tF\tCN\n"
    )
    (bids / "dataset_description.json").write_text('{"Name": "one", "BIDSVersion": "1.8.0"}')
    scan = np.random.default_rng(1).normal(100, 20, (20, 20, 20)).astype(np.float32)
    nib.save(nib.Nifti1Image(scan, np.diag([8.0, 8, 8, 1])), bids / "sub-01/anat/sub-01_T1w.nii")
    shutil.copytree(find_model_folder("mini"), folder / "model")
    hashes = describe_training_people(["01", "02"])
    (folder / "model" / TRAINING_PEOPLE).write_text(hashes, encoding="utf-8")
    shutil.copy(
        str(files("brlp_models.training") / "configs" / "mini.toml"), folder / "recipe.toml"
    )
    shutil.copy(bids / "sub-01/anat/sub-01_T1w.nii", folder / "scan.nii")
    words = ["samplesize", "sequential", "--looks", "0.5,1", "--write", str(folder / "plan.json")]
    assert RUNNER.invoke(app, words).exit_code == 0
    words = ["rank", str(folder / "cohort"), "--study", str(folder / "study.duckdb")]
    assert RUNNER.invoke(app, [*words, "--strategies", "random,baseline_volume"]).exit_code == 0
    words = ["study", "export", str(folder / "study.duckdb"), "--bundle", "--out"]
    assert RUNNER.invoke(app, [*words, str(folder / "bundle")]).exit_code == 0
    return folder


def seal_model(folder: Path) -> None:
    """Name the files of a model folder by what they hold now, so that they are read."""
    listed = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    names = [line.split(maxsplit=1)[1].lstrip("*") for line in listed]
    sums = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names]
    lines = [f"{digest}  {name}\n" for digest, name in zip(sums, names, strict=True)]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def seal_cohort(folder: Path) -> None:
    path = folder / "cohort.json"
    stated = json.loads(path.read_text(encoding="utf-8"))
    digests = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in stated["files"]
    }
    path.write_text(json.dumps(stated | {"files": digests}), encoding="utf-8")


def seal_nothing(_: Path) -> None:
    """The file itself is all there is."""


Seal = Callable[[Path], None]
KINDS: dict[str, tuple[str, str, Seal]] = {
    "protocol": ("protocol.toml", "run protocol.toml --dry-run", seal_nothing),
    "CSV": ("people.csv", "cohort validate people.csv --age-unit years", seal_nothing),
    "TSV": ("people.tsv", "cohort validate people.tsv --age-unit years", seal_nothing),
    "Parquet": ("people.parquet", "cohort validate people.parquet", seal_nothing),
    "profile": ("profile.toml", "cohort validate people.csv --profile profile.toml", seal_nothing),
    "description": ("cohort/cohort.json", "cohort validate cohort", seal_nothing),
    "people": ("cohort/participants.parquet", "cohort validate cohort", seal_cohort),
    "volumes": ("cohort/volumes.parquet", "cohort validate cohort", seal_cohort),
    "scores": (
        "scores.csv",
        "rank cohort --scores scores.csv --strategies random --study new.duckdb",
        seal_nothing,
    ),
    "NIfTI": ("bids/sub-01/anat/sub-01_T1w.nii", "cohort validate bids", seal_nothing),
    "BIDS table": ("bids/participants.tsv", "cohort validate bids", seal_nothing),
    "BIDS JSON": ("bids/dataset_description.json", "cohort validate bids", seal_nothing),
    "configuration": ("model/config.json", "model info model", seal_model),
    "checksums": ("model/SHA256SUMS", "model verify model", seal_nothing),
    "study": ("study.duckdb", "study verify study.duckdb", seal_nothing),
    "manifest": ("bundle/MANIFEST.json", "study import-bundle bundle new.duckdb", seal_nothing),
    "plan": ("plan.json", "monitor plan.json --z 1.9 --information 0.5", seal_nothing),
}


READERS: dict[str, tuple[str, Callable[[Path], object], Seal]] = {
    "weights": ("model/autoencoder.safetensors", lambda file: load_model(file.parent), seal_model),
    "Huber": ("model/auxiliary/huber.json", load_auxiliary, seal_nothing),
    "progression": ("model/auxiliary/progression.json", load_auxiliary, seal_nothing),
    "Leaspy": ("model/auxiliary/progression.json", read_leaspy_file, seal_nothing),
    "recipe": ("recipe.toml", load_recipe, seal_nothing),
    "hashes": (
        f"model/{TRAINING_PEOPLE}",
        lambda file: find_training_people(file.parent, ["01"]),
        seal_nothing,
    ),
}


@pytest.mark.parametrize("kind", READERS)
def test_a_damaged_file_of_a_model_is_told_by_its_reader(
    kind: str, sources: Path, place: Path
) -> None:
    name, read, seal = READERS[kind]
    shutil.copytree(sources / "model", place / "model")
    shutil.copy(sources / "recipe.toml", place)
    whole = (place / name).read_bytes()
    rng = np.random.default_rng(len(kind))
    for _ in range(ROUNDS):
        # of weights, what says which they are
        head = 4000 if kind == "weights" else len(whole)
        (place / name).write_bytes(damage(whole[:head], rng) + whole[head:])
        seal((place / name).parent)
        with suppress(TrialsimError):
            read(place / name)


def check_told(words: list[str], crashes: Path, what: object) -> int:
    """Run a command; it ends with an exit code, in words, and leaves no crash file."""
    result = RUNNER.invoke(app, words)
    told = (words, what, result.exit_code, result.output[-2000:], result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), told
    assert "Traceback" not in result.output, told
    assert "a fault of trialsim" not in result.output, told
    assert not list(crashes.glob("*crash*")), told
    return result.exit_code


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder to work in, where crash files would lie, too."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_told_in_a_sentence(kind: str, sources: Path, place: Path) -> None:
    name, line, seal = KINDS[kind]
    folder = place / "inputs"
    shutil.copytree(sources, folder)
    os.chdir(folder)
    whole, n_refused = (folder / name).read_bytes(), 0
    rng = np.random.default_rng(len(kind))
    for _ in range(ROUNDS):
        damaged = damage(whole, rng)
        (folder / name).write_bytes(damaged)
        try:
            seal((folder / name).parent)
        except (ValueError, OSError, LookupError):
            continue  # so broken that no checksum can be stated for it
        (folder / "new.duckdb").unlink(missing_ok=True)
        code = check_told([*line.split(), *_quiet(line)], place, damaged[:200])
        assert code in (0, 1, 2)
        n_refused += code > 0
    (folder / name).write_bytes(whole)
    assert n_refused > 0 or kind in {"profile", "BIDS JSON"}


def _quiet(line: str) -> list[str]:
    return ["--quiet"] if line.startswith(("run", "rank")) else []


KEYS = [
    *("study.seed", "cohort.window_months", "cohort.eligibility", "cohort.age_unit", "cohort.path"),
    *(
        "selection.strategies",
        "selection.folds",
        "selection.fractions_enrolled",
        "selection.scores",
    ),
    *("selection.fast_progressor.top_fraction", "design.endpoint", "design.visits_months"),
    *("design.effect", "simulation.n_simulations", "simulation.sample_sizes", "compute.parts"),
    *(
        "prediction.model",
        "costs",
        "nothing",
        "study",
        "design.visits_months.0",
        "simulation.workers",
    ),
]


def test_a_hostile_setting_is_told_in_a_sentence(sources: Path, place: Path) -> None:
    absent = PROTOCOL.replace("people.csv", "absent.csv")
    (place / "absent.toml").write_text(absent, encoding="utf-8")
    rng = np.random.default_rng(5)
    for _ in range(5 * ROUNDS):
        key, value = rng.choice(KEYS), HOSTILE[int(rng.integers(len(HOSTILE)))]
        setting = rng.choice([f"{key}={value}", f"{key}=[{value}]", f'{key}="{value}"', str(key)])
        words = ["run", "absent.toml", "--dry-run", "--quiet", "--set", str(setting)]
        assert check_told(words, place, setting) in (1, 2)


def test_a_number_too_large_for_a_model_is_told(sources: Path, place: Path) -> None:
    text = (sources / "model/auxiliary/progression.json").read_text(encoding="utf-8")
    huge = json.loads(text, parse_float=lambda _: 10**400)
    (place / "huge.json").write_text(json.dumps(huge), encoding="utf-8")
    with pytest.raises(TrialsimError):
        load_auxiliary(place / "huge.json")


# the others also stand in test_odd_circumstances, which reads such a table to the end
@pytest.mark.parametrize(
    "column",
    ["value", "level_0", *(pytest.param(n, marks=pytest.mark.slow) for n in ("run_id", "select"))],
)
def test_a_column_called_as_ours_is_read(column: str, sources: Path, place: Path) -> None:
    people = pd.read_csv(sources / "people.csv")
    people.assign(**{column: np.arange(len(people)) % 7}).to_csv("own.csv", index=False)
    assert check_told(
        ["cohort", "import", "own.csv", "own", "--age-unit", "years"], place, column
    ) in (0, 1)


def test_an_empty_query_and_one_of_other_bytes_are_told(sources: Path, place: Path) -> None:
    for text in ("", " ", ";", "--", "SELECT", "SELECT 1; DROP TABLE runs", "\x00", "🧠"):
        words = ["study", "sql", str(sources / "study.duckdb"), text]
        assert check_told(words, place, text) in (1, 2)
