"""The published size, once: memory of a prediction, parity with the authors' package.

    python benchmarks/check_official_size.py write FOLDER      random weights, as model folder
    python benchmarks/check_official_size.py memory FOLDER     peak memory: encode, draw, decode
    python benchmarks/check_official_size.py parity PACKAGE    import old-format weights, compare
    python benchmarks/check_official_size.py double PACKAGE    the same in double precision, narrow

PACKAGE is a folder that holds monai-generative 0.2.3 (an unpacked wheel). Minutes, and up to 9 GB;
`double` takes seconds. Both packages compute the same function in another order of operations, so
they agree to rounding: about 1e-5 of the output's sd in single precision, 2e-14 in double.
"""

import gc
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from bench_denoising import choose_config, draw_inputs, fill_zero_convolutions, write_random_model

from brlp_models.model.config import ModelConfig
from brlp_models.model.folder import load_model
from brlp_models.model.networks import build_empty_networks
from brlp_models.model.sampling import sample_latents
from brlp_models.official_import import read_official_tensors, rename_tensors

LARGEST_DIFFERENCE = {torch.float32: 1.1e-5, torch.float64: 1e-12}
"""Between old and new outputs, in sds of the output."""


def main() -> None:
    task, folder = sys.argv[1], Path(sys.argv[2])
    torch.manual_seed(0)
    if task == "write":
        write_random_model(choose_config(official=True), folder)
    elif task == "memory":
        measure_memory(folder)
    elif task == "parity":
        compare_with_old_package(folder, choose_config(official=True))
    else:
        torch.set_default_dtype(torch.float64)
        compare_with_old_package(folder, choose_double_config())


def choose_double_config() -> ModelConfig:
    config = choose_config(official=False)
    # upcasting means single precision, so it would cast down
    return config.model_copy(update={"unet": {**config.unet, "upcast_attention": False}})


def measure_memory(folder: Path) -> None:
    model = load_model(folder, precision="auto")
    print_peak(f"loaded, precision {model.precision}")
    image = torch.rand(1, 1, *model.config.shape)
    for name, step in (
        ("encoded", lambda: model.encode(image)),
        (
            "one denoising step",
            lambda: sample_latents(model, **draw_inputs(model, 1), num_inference_steps=1),
        ),
        ("decoded", lambda: model.decode(draw_inputs(model, 1)["baseline_latent"])),
    ):
        start = time.process_time()
        step()
        print_peak(f"{name} in {time.process_time() - start:.1f} s of processor time")


def print_peak(what: str) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{what}: peak memory so far {peak:.2f} GB", flush=True)


def compare_with_old_package(package: Path, config: ModelConfig) -> None:
    sys.path.insert(0, str(package))
    import monai.config

    # the old package asks MONAI for a name that newer versions moved
    monai.config.IgniteInfo = type("IgniteInfo", (), {"OPT_IMPORT_VERSION": "0.4.11"})
    from generative.networks.nets import ControlNet, DiffusionModelUNet

    x, t = torch.randn(1, 3, *config.padded_latent_shape), torch.tensor([500])
    context = torch.rand(1, 1, len(config.context))
    condition = torch.randn(1, 4, *config.padded_latent_shape)
    old, state = run_old(
        ControlNet, config.controlnet_args(), x, t, context, controlnet_cond=condition
    )
    new = run_new(config, "controlnet", state, x, t, context, controlnet_cond=condition)
    report("ControlNet", [*old[0], old[1]], [*new[0], new[1]])
    extra = {"down_block_additional_residuals": old[0], "mid_block_additional_residual": old[1]}
    old_noise, state = run_old(DiffusionModelUNet, config.unet, x, t, context, **extra)
    new_noise = run_new(config, "unet", state, x, t, context, **extra)
    report("UNet", [old_noise], [new_noise])


def run_old(network: Any, args: dict[str, Any], x: Any, t: Any, context: Any, **extra: Any) -> Any:
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in args.items()}
    values["num_channels"] = values.pop("channels")
    built = network(spatial_dims=3, **values).eval()
    fill_zero_convolutions(built)
    if hasattr(built, "out"):
        torch.nn.init.normal_(
            built.out[2].conv.weight, std=(27 * values["num_channels"][0]) ** -0.5
        )
    with torch.no_grad():
        found = built(x=x, timesteps=t, context=context, **extra)
    file = Path(tempfile.mkdtemp()) / "old.pth"
    torch.save(built.state_dict(), file)
    del built
    gc.collect()
    return found, file


def run_new(
    config: ModelConfig, part: str, file: Path, x: Any, t: Any, context: Any, **extra: Any
) -> Any:
    network = build_empty_networks(config)[part]
    state = rename_tensors(read_official_tensors(file), network.state_dict())
    network.load_state_dict(state, assign=True)
    with torch.no_grad():
        found = network.eval()(x=x, timesteps=t, context=context, **extra)
    file.unlink()
    return found


def report(name: str, old: list[torch.Tensor], new: list[torch.Tensor]) -> None:
    error = max(float((a - b).abs().max()) for a, b in zip(old, new, strict=True))
    sd = float(torch.cat([a.flatten() for a in old]).std())
    print(f"{name}: sd of the output {sd:.3f}, largest difference {error / sd:.1e} sd", flush=True)
    if not error <= LARGEST_DIFFERENCE[old[0].dtype] * sd:
        sys.exit(f"{name} does not give the old package's output.")


if __name__ == "__main__":
    main()
