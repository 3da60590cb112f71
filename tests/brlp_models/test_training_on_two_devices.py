import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from brlp_models.training import loop
from brlp_models.training.checkpoint import read_checkpoint
from brlp_models.training.examples import Draw, Examples, load_batches
from brlp_models.training.loop import LoopSettings, start_accelerator, train_stage
from brlp_models.training.recipe import STAGES, Recipe
from tests.brlp_models.test_training import make_recipe, make_training, write_banks

PROCESS = Path(__file__).with_name("training_process.py")


def make_shared_recipe(*, batch_size: int) -> Recipe:
    """Return the tiny recipe without batch statistics, which hang on the size of a batch."""
    content = make_recipe(steps=3).model_dump(mode="json")
    for network in ("segmenter", "refiner"):
        content["model"][network]["args"]["norm"] = "INSTANCE"
    phases = [phase for stage in STAGES if stage != "diffusion" for phase in content[stage]]
    for phase in (content["diffusion"], *phases):
        phase["batch_size"] = batch_size
        # the autoencoder alone is killed between its checkpoint and its last step
        if phase not in content["autoencoder"]:
            phase["loop"] = {**phase["loop"], "steps": 2}
    return Recipe.model_validate(content)


def ask(folder: Path, batch_size: int, processes: int, dies_in: str = "") -> str:
    recipe = make_shared_recipe(batch_size=batch_size).model_dump(mode="json")
    run = {"recipe": recipe, "folder": str(folder), "processes": processes, "dies_in": dies_in}
    return json.dumps(run)


def run_trainings(*asked: str) -> list[object]:
    """Do the runs one after the other; return whether each succeeded, and which stages it began."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "ACCELERATE_USE_CPU": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        [sys.executable, str(PROCESS)],
        input="\n".join(asked),
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    sys.stderr.write(done.stderr[-3000:])
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return banks with their caches, which are kept in half precision."""
    folder = tmp_path_factory.mktemp("banks")
    write_banks(folder)
    training = make_training(folder, make_recipe(steps=1))
    for stage in STAGES:
        training.train(stage)
        shutil.rmtree(folder / stage) if stage == "refiner" else None
    for stage in STAGES[:-1]:
        shutil.rmtree(folder / stage)
    return folder


def test_two_processes_killed_and_resumed_learn_what_one_learns_from_the_same_examples(
    banks: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    shutil.copytree(banks, one)
    shutil.copytree(banks, two)
    asked = [ask(one, 2, 1), ask(two, 1, 2, dies_in="autoencoder"), ask(two, 1, 2)]
    whole = list(STAGES)
    killed = whole[: whole.index("autoencoder") + 1]
    assert run_trainings(*asked) == [[True, whole], [False, killed], [True, whole]]
    checkpoints = sorted(one.glob("*/*/checkpoint.pt"))
    assert checkpoints
    for checkpoint in checkpoints:
        found = read_checkpoint(two / checkpoint.relative_to(one))["networks"]
        for network, weights in read_checkpoint(checkpoint)["networks"].items():
            for name, weight in weights.items():
                torch.testing.assert_close(found[network][name], weight, rtol=0, atol=1e-5)


class _Counting:
    """A stage of one weight that counts its optimizer's steps, and the precision it works in."""

    exported = ("line",)

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.networks: dict[str, torch.nn.Module] = {"line": torch.nn.Linear(1, 1, bias=False)}
        torch.nn.init.ones_(self.networks["line"].weight)  # type: ignore[arg-type]
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "line": torch.optim.SGD(self.networks["line"].parameters(), 0.1)
        }
        self.seen: list[float] = []
        self.dtypes: set[torch.dtype] = set()
        self.n_updates = 0
        self.optimizers["line"].register_step_post_hook(self._count)

    def _count(self, *_: object) -> None:
        self.n_updates += 1

    def draw_example(self, draw: Draw) -> Examples:
        return {"x": torch.rand(1, generator=draw.generator)}

    def train_batch(
        self, examples: Examples, _step: int, accelerator: Accelerator
    ) -> dict[str, torch.Tensor]:
        self.seen += examples["x"][:, 0].tolist()
        with accelerator.autocast():
            output = torch.nn.functional.linear(examples["x"], self.networks["line"].weight)  # type: ignore[arg-type]
        self.dtypes.add(output.dtype)
        loss = (output.float() ** 2).mean()
        accelerator.backward(loss)
        self.optimizers["line"].step()
        self.optimizers["line"].zero_grad()
        return {"loss": loss}


def run_counting(folder: Path, batch_size: int, accumulation: int, precision: str) -> _Counting:
    stage = _Counting(batch_size)
    settings = LoopSettings.model_validate(
        {"steps": 2, "accumulation": accumulation, "mixed_precision": precision}
    )
    train_stage(stage, settings, folder, seed=5, accelerator=start_accelerator(settings))
    return stage


def test_each_stage_has_the_accumulation_and_the_precision_that_it_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "has_bf16", lambda _device: True)
    whole = run_counting(tmp_path / "whole", 16, 1, "no")
    parts = run_counting(tmp_path / "parts", 2, 8, "no")
    half = run_counting(tmp_path / "half", 16, 1, "bf16")
    assert (whole.n_updates, parts.n_updates) == (2, 2)
    assert whole.seen == parts.seen == half.seen
    (one,), (other,) = (s.networks["line"].parameters() for s in (whole, parts))
    torch.testing.assert_close(one, other)
    assert (whole.dtypes, half.dtypes) == ({torch.float32}, {torch.bfloat16})


def test_a_processor_without_bf16_learns_in_full_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # emulated, a convolution takes 60 times as long
    monkeypatch.setattr(loop, "has_bf16", lambda _device: False)
    asked, full = (run_counting(tmp_path / p, 16, 1, p) for p in ("bf16", "no"))
    assert asked.dtypes == {torch.float32}
    (one,), (other,) = (s.networks["line"].parameters() for s in (asked, full))
    assert torch.equal(one, other)


def test_examples_are_the_same_with_workers() -> None:
    stage, accelerator = _Counting(3), start_accelerator(LoopSettings(steps=1))
    alone, helped = (
        [batch["x"] for batch in load_batches(stage, range(2), accelerator, seed=1, workers=n)]
        for n in (0, 1)
    )
    assert all(torch.equal(a, b) for a, b in zip(alone, helped, strict=True))
    assert len(alone) == 2
