"""What one GPU does with the published size, part by part, into one JSON file.

    bash benchmarks/gpu.sh LABEL_MAPS            every part, under ten minutes on one H100
    python benchmarks/bench_gpu.py PART --json gpu.json [--model FOLDER] [--label-maps FOLDER]
    python benchmarks/bench_gpu.py PART --device cpu --narrow    tries a part without a GPU

Parts: `machine` (which GPU, and whether this PyTorch computes on it), `parity` (single precision
and bfloat16 against the processor in single precision), `denoising` (seconds and memory of a step
of UNet and ControlNet at batches of 1 to 32, eager, compiled, as CUDA graphs), `decoding`, `people`
(20 people x 8 draws, with the share of time that the GPU was busy), `training` (seconds of a step
of each stage, from 50 of them). Weights are random; `--model` is where they are kept for the next
part. What is measured is written at once, so that a part that is stopped leaves it; what fails says
so in its place.
"""

import argparse
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from bench_denoising import choose_config, draw_inputs, write_random_model
from bench_prediction import HORIZONS, make_cohort
from torch import Tensor

from brlp_models.model.config import ModelConfig
from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from brlp_models.model.sampling import sample_latents
from brlp_models.prediction.cohort import predict_cohort
from brlp_models.training.pipeline import Training
from brlp_models.training.recipe import load_recipe
from brlp_models.training.session import TrainingSession
from cohorts.files.atomic import write_file

BATCHES = (1, 4, 16, 32)
N_PEOPLE, N_DRAWS, N_STEPS = 20, 8, 50
MODES = {"eager": None, "compiled": "default", "graphs": "reduce-overhead"}
"""How `torch.compile` is asked; `reduce-overhead` records CUDA graphs."""

NARROW = {
    "spacing_mm": [4.0] * 3,
    "shape": [48, 56, 48],
    "affine": [[-4.0, 0, 0, 94], [0, 4.0, 0, -130], [0, 0, 4.0, -76], [0, 0, 0, 1]],
    "latent_padding": [[1, 1], [0, 1], [1, 1]],
}
"""A grid on which a processor decodes in a moment."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=list(PARTS))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--narrow", action="store_true", help="a small network, for a trial")
    parser.add_argument("--model", type=Path, help="holds the random model, or gets it")
    parser.add_argument("--label-maps", type=Path)
    parser.add_argument("--json", type=Path, default=Path("gpu.json"))
    asked = parser.parse_args()
    start = time.perf_counter()
    try:
        for name, value in PARTS[asked.part](asked):
            print(f"{name}: {value}", flush=True)
            keep(asked.json, asked.part, {name: value})
    except Exception as error:
        keep(asked.json, asked.part, {"failed": describe(error)})
        raise
    keep(asked.json, asked.part, {"whole_part_s": round(time.perf_counter() - start, 1)})


def keep(path: Path, part: str, found: Mapping[str, Any]) -> None:
    """Add numbers to the file at once, so that a part that is stopped leaves what it measured."""
    known = json.loads(path.read_text()) if path.exists() else {}
    known.setdefault("machine", describe_machine())
    known[part] = {**known.get(part, {}), **found}
    # whole or not at all: it may be stopped at any time
    write_file(path, (json.dumps(known, indent=1) + "\n").encode())


def describe_machine() -> dict[str, str]:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {"gpu": gpu, "torch": torch.__version__, "cuda": str(torch.version.cuda)}


def describe(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]


def find_machine(asked: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    known = describe_machine()
    if asked.device.startswith("cuda") and known["gpu"] == "none":
        raise SystemExit(
            f"torch {known['torch']} (CUDA {known['cuda']}) sees no GPU; `nvidia-smi` tells the "
            "CUDA version of the driver, which must be as new."
        )
    # a GPU that is seen may still have no kernels in this build
    product = torch.ones(64, 64, device=asked.device) @ torch.ones(64, 64, device=asked.device)
    yield "computes", float(product.sum()) == 64**3
    if asked.device.startswith("cuda"):
        yield "free_memory_gb", torch.cuda.mem_get_info()[0] / 1e9


@contextmanager
def open_model(
    asked: argparse.Namespace, device: str = "", precision: str = "full"
) -> Iterator[BrlpModel]:
    """Give a model of random weights, the same ones each time."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.model or Path(scratch)
        if not (folder / "config.json").exists():
            # gigabytes of random numbers, of which a minute goes into making and storing them
            torch.manual_seed(0)
            write_random_model(choose_size(asked), folder)
        yield load_model(folder, device=device or asked.device, precision=precision)  # type: ignore[arg-type]


def choose_size(asked: argparse.Namespace) -> ModelConfig:
    config = choose_config(official=not asked.narrow)
    if not asked.narrow:
        return config
    return ModelConfig.model_validate({**config.model_dump(mode="json"), **NARROW})


def measure_parity(asked: argparse.Namespace) -> Iterator[tuple[str, float]]:
    def draw(model: BrlpModel) -> list[Tensor]:
        inputs = draw_inputs(model, 1)
        latent = sample_latents(model, **inputs, num_inference_steps=2)
        return [latent.float().cpu(), model.decode(inputs["baseline_latent"]).float().cpu()]

    with open_model(asked, device="cpu") as model:
        expected = draw(model)
    for precision in ("full", "bf16"):
        with open_model(asked, precision=precision) as model:
            found = draw(model)
        for what, one, other in zip(("latent", "decoded"), found, expected, strict=True):
            yield f"{what}_{precision}_relative", float((one - other).norm() / other.norm())


def measure_denoising(asked: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    # compiling takes minutes, and is the first that may be stopped
    for (mode, how), precision in itertools.product(MODES.items(), ("bf16", "full")):
        with open_model(asked, precision=precision) as model:
            if how is not None:
                torch.compiler.reset()
                networks = {
                    name: torch.compile(network, mode=how) if "net" in name else network
                    for name, network in model.networks.items()
                }
                model = replace(model, networks=networks)
            for batch in BATCHES:
                inputs = draw_inputs(model, batch)
                step = partial(sample_latents, model, **inputs, num_inference_steps=4)
                found = measure_or_tell(asked, step)
                yield (
                    f"{precision}_{mode}_{batch}",
                    {key: value / 4 if key == "seconds" else value for key, value in found.items()},
                )


def measure_decoding(asked: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    with open_model(asked) as model:
        for batch in BATCHES[:2]:
            latents = draw_inputs(model, batch)["baseline_latent"]
            yield f"decode_{batch}", measure_or_tell(asked, partial(model.decode, latents))
        image = torch.rand(1, 1, *model.config.shape)
        yield "encode_1", measure_or_tell(asked, partial(model.encode, image))


def measure_people(asked: argparse.Namespace) -> Iterator[tuple[str, float]]:
    n_people = 2 if asked.narrow else N_PEOPLE
    with open_model(asked, precision="bf16") as model, tempfile.TemporaryDirectory() as scratch:
        cohort = make_cohort(model, Path(scratch), n_people)
        busy: list[float] = []
        with watch_gpu(busy):
            start = time.perf_counter()
            out = Path(scratch) / "out"
            predict_cohort(model, cohort, HORIZONS[:1], N_DRAWS, out=out, measure=False)
            seconds = time.perf_counter() - start
    yield "n_people", n_people
    yield "seconds_a_person", seconds / n_people
    if busy:
        yield "share_of_time_gpu_busy", sum(busy) / len(busy) / 100


@contextmanager
def watch_gpu(busy: list[float]) -> Iterator[None]:
    """Read how busy the GPU is, in percent, five times a second."""
    if not torch.cuda.is_available() or shutil.which("nvidia-smi") is None:
        yield
        return
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    watching = subprocess.Popen([*command, "-lms", "200"], stdout=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        watching.terminate()
        told = watching.communicate()[0] or ""
    # a part of a GPU (MIG) tells no share: [N/A]
    busy += [float(line) for line in told.split() if line.isdigit()]


def measure_training(asked: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    if asked.label_maps is None:
        raise SystemExit("Training needs --label-maps: a folder of label maps.")
    n_steps = 3 if asked.narrow else N_STEPS
    recipe = shorten(n_steps, "mini" if asked.narrow else "official")
    ended: dict[str, list[float]] = {}

    def note(stage: str, _step: int, _steps: int, _metrics: Mapping[str, float]) -> None:
        ended.setdefault(stage, []).append(time.perf_counter())

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        training = Training(recipe, folder, note)
        first, *others = training.stages
        # makes the people as well
        TrainingSession(recipe, folder, label_maps=asked.label_maps, report=note).run(first)
        yield "people_s", ended[first][0] - start
        yield first, describe_steps(ended[first])
        for stage in others:
            training.train(stage)
            yield stage, describe_steps(ended[stage])


def describe_steps(times: list[float]) -> dict[str, float]:
    """Return seconds of a step; the first has what is done once."""
    each = (times[-1] - times[1]) / (len(times) - 2)
    return {"seconds_a_step": each, "steps": len(times)}


def shorten(n_steps: int, name: str) -> Any:
    """Return a recipe whose stages end after a few steps, on eight synthetic people."""
    recipe = load_recipe(name)
    settings = recipe.model_dump(mode="json")
    for stage in ("segmenter", "autoencoder", "diffusion", "controlnet", "refiner"):
        phases = settings[stage] if isinstance(settings[stage], list) else [settings[stage]]
        for phase in phases:
            phase["loop"] |= {"steps": n_steps, "checkpoint_every": n_steps, "log_every": 1}
            if "volumes" in phase:
                # otherwise auxiliary models would be fitted first
                phase["volumes"] = "true"
    settings["label_bank"] = {"n_anatomies": 4} if settings["segmenter"] else None
    settings["people"] = {"n_people": 8}
    settings["measure_volume_gain"] = False
    return type(recipe).model_validate(settings)


def measure_or_tell(asked: argparse.Namespace, work: Callable[[], Any]) -> dict[str, Any]:
    """Return seconds and the peak of memory in GB of a second run, or why there are none."""
    on_gpu = asked.device.startswith("cuda")
    try:
        before = time.perf_counter()
        work()
        if on_gpu:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        start = time.perf_counter()
        work()
        if on_gpu:
            torch.cuda.synchronize()
    except Exception as error:
        # memory that is short, no compiler: what is measured next has nothing to do with it
        torch.cuda.empty_cache()
        return {"failed": describe(error)}
    found = {"seconds": time.perf_counter() - start, "first_run_s": start - before}
    if on_gpu:
        found["memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
    return found


PARTS: dict[str, Callable[[argparse.Namespace], Iterator[tuple[str, Any]]]] = {
    "machine": find_machine,
    "parity": measure_parity,
    "denoising": measure_denoising,
    "decoding": measure_decoding,
    "people": measure_people,
    "training": measure_training,
}

if __name__ == "__main__":
    main()
