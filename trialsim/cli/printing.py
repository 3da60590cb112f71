"""How tables are printed: for people as columns, for scripts as JSON."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import pandas as pd


def print_table(frame: "pd.DataFrame", *, as_json: bool = False, widest: int | None = 70) -> None:
    """Print `frame` on stdout, as JSON records or as aligned columns of `widest` characters."""
    if as_json:
        typer.echo(frame.to_json(orient="records", date_format="iso", indent=2))
    elif frame.empty:
        typer.echo("(no rows)")
    else:
        typer.echo(frame.to_string(index=False, na_rep="", max_colwidth=widest))
