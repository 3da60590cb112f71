"""Options that would change nothing are refused, not passed over."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from trialsim.cli.app import app


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("cohort synthesize x --dropout 0.4", "--dropout: a finished trial has these; add --trial"),
        ("cohort synthesize x --resolution 1", "--resolution: scans have voxels; add --images"),
        ("train all --horizon 24 --model mini", "--horizon, --model: for `train baseline` alone"),
        ("train baseline elastic_net --data x --config told", "--config: for networks, not for a"),
        ("predict x --shard 1/2 --output y", "leave --output and --json out of a share"),
        ("predict x --participant-label 1 --json", "leave --output and --json out of a share"),
        ("samplesize sequential --dropout 0.2", "--dropout: they place looks in time; add --delta"),
        ("study export x --bundle --format csv", "--format: of tables alone"),
        ("study export x --r-script --bundle", "--bundle: a bundle holds no script"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(
    words: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, words.split())
    assert found.exit_code == 1
    assert told in " ".join(found.stderr.split())
    assert list(tmp_path.iterdir()) == []
