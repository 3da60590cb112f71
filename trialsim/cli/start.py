"""Where the programs start: while their code is loaded, an interrupt is a word, not a traceback.

It imports nothing, so that there is next to no time before it can say so.
"""

INTERRUPTED = 130


def main() -> None:
    """Run `trialsim`."""
    _start("trialsim.cli.app")


def main_of_bids_app() -> None:
    """Run `trialsim-bids`."""
    _start("trialsim.cli.bids_app")


def _start(module: str) -> None:
    try:
        from importlib import import_module

        import_module(module).main()
    except KeyboardInterrupt:
        import sys

        sys.stderr.write("Interrupted before anything was done.\n")
        sys.exit(INTERRUPTED)
