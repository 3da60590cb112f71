"""Files that are damaged in every way are told in a sentence, or change nothing."""

from pathlib import Path

import numpy as np
import pandas as pd
from typer.testing import CliRunner

from cohorts.synthetic.tabular import synthesize_table
from reports.store.study import Study
from trialsim.cli.app import app

RUNNER = CliRunner()
FLIPS = 200


def make_study(folder: Path) -> bytes:
    cohort, _ = synthesize_table(40, rng=np.random.default_rng(1))
    cohort.write(folder / "people")
    words = ["rank", str(folder / "people"), "--strategies", "random,baseline_volume"]
    result = RUNNER.invoke(app, [*words, "--study", str(folder / "study.duckdb")])
    assert result.exit_code == 0, result.output
    return (folder / "study.duckdb").read_bytes()


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    data = bytearray(content)
    match rng.integers(4):
        case 0:  # one bit
            data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        case 1:  # a sector of zeros
            place = int(rng.integers(len(data)))
            data[place : place + 512] = bytes(len(data[place : place + 512]))
        case 2:  # cut
            del data[int(rng.integers(len(data))) :]
        case _:  # random bytes
            place = int(rng.integers(len(data)))
            data[place : place + 64] = rng.bytes(len(data[place : place + 64]))
    return bytes(data)


def test_a_damaged_study_is_told_or_unchanged(tmp_path: Path, share: float) -> None:
    whole, path = make_study(tmp_path), tmp_path / "damaged.duckdb"
    expected = Study.open(tmp_path / "study.duckdb", read_only=True).read("scores")
    rng, n_told = np.random.default_rng(2), 0
    for _ in range(round(FLIPS * share)):
        path.write_bytes(damage(whole, rng))
        result = RUNNER.invoke(app, ["study", "verify", str(path)])
        assert "a fault of trialsim" not in result.stderr
        assert result.exception is None or isinstance(result.exception, SystemExit)
        if result.exit_code == 0:
            found = Study.open(path, read_only=True).read("scores")
            pd.testing.assert_frame_equal(found, expected)
        n_told += result.exit_code
    assert n_told > 0.5 * FLIPS * share


def test_a_damaged_cohort_is_told(tmp_path: Path, share: float) -> None:
    cohort, _ = synthesize_table(40, rng=np.random.default_rng(1))
    cohort.write(tmp_path / "people")
    rng = np.random.default_rng(3)
    for name in ("participants.parquet", "visits.parquet", "volumes.parquet", "cohort.json"):
        path = tmp_path / "people" / name
        whole = path.read_bytes()
        for _ in range(round(FLIPS * share / 8)):
            path.write_bytes(damage(whole, rng))
            result = RUNNER.invoke(app, ["cohort", "validate", str(tmp_path / "people")])
            assert "a fault of trialsim" not in result.stderr
            assert result.exit_code == 1 or path.read_bytes() == whole or name == "cohort.json"
        path.write_bytes(whole)
