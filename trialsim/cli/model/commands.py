"""`trialsim model`: which model this is, whether it is intact, how to get the published one."""

from pathlib import Path
from typing import Annotated

import typer

from cohorts.counting import tally
from cohorts.identifiers import show_plainly
from trialsim.cli.asking.once import Commands
from trialsim.cli.asking.recording import JsonOption
from trialsim.cli.model.baseline_scores import baseline_scores
from trialsim.cli.model.calibrate import calibrate
from trialsim.cli.model.check_scan import check_scan
from trialsim.cli.model.demonstration_archive import demonstration_archive
from trialsim.cli.model.evaluation_people import evaluation_people
from trialsim.cli.model.export_monai import export_monai

app = Commands(
    no_args_is_help=True, help="Look into a model folder, check it, import the published model."
)
app.command("check-scan")(check_scan)
app.command("calibrate")(calibrate)
app.command("baseline-scores")(baseline_scores)
app.command("evaluation-people")(evaluation_people)
app.command("demonstration-archive")(demonstration_archive)
app.command("export-monai")(export_monai)

ModelArgument = Annotated[str, typer.Argument(help="mini, the bundled model, or a model folder.")]


@app.command()
def info(model: ModelArgument = "mini", as_json: JsonOption = False) -> None:
    """Say what a model is: grid, networks, context, training ranges, licence.

    Example: trialsim model info mini
    """
    from brlp_models.model.folder import describe_model, render_description

    description = describe_model(model)
    if as_json:
        from trialsim.cli.answering.printing import print_json

        print_json(description)
    else:
        typer.echo(show_plainly(render_description(description)))


@app.command()
def verify(model: ModelArgument = "mini") -> None:
    """Compare every file with SHA256SUMS, then load the model and compare every tensor.

    Example: trialsim model verify mini
    """
    from brlp_models.model.folder import load_model

    loaded = load_model(model)
    typer.echo(
        f"{loaded.model_id}: {tally(len(loaded.checksums) - 1, 'files are')} as they were written."
    )


@app.command("import-official")
def import_official(
    autoencoder: Annotated[Path, typer.Option(help="The authors' autoencoder (.pth).")],
    unet: Annotated[Path, typer.Option(help="The authors' diffusion UNet (.pth).")],
    controlnet: Annotated[Path, typer.Option(help="The authors' ControlNet (.pth).")],
    out: Annotated[Path, typer.Option("--out", "--output", help="The model folder to write.")],
    auxiliary: Annotated[
        tuple[Path, Path, Path] | None,
        typer.Option(
            metavar="CN MCI AD",
            help="Leaspy JSON files of the disease course models, in this order.",
        ),
    ] = None,
    latent_scale: Annotated[
        float, typer.Option(help="Scale of the latents; the published command line uses 1.")
    ] = 1.0,
) -> None:
    """Turn the authors' published files into a model folder, every tensor accounted for.

    Nothing in the files is run; a pickle that wants to run code is refused.

    Example: trialsim model import-official --autoencoder autoencoder.pth --unet latentdiffusion.pth
    --controlnet controlnet.pth --auxiliary dcm_cn.json dcm_mci.json dcm_ad.json --out official
    """
    from brlp_models.model.folder import load_model
    from brlp_models.official_import import import_official as import_files

    checkpoints = {"autoencoder": autoencoder, "unet": unet, "controlnet": controlnet}
    groups = dict(zip(("CN", "MCI", "AD"), auxiliary, strict=True)) if auxiliary else None
    import_files(checkpoints, out, auxiliary=groups, latent_scale=latent_scale)
    typer.echo(f"{load_model(out).model_id} was written to {out}.")
