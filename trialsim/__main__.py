"""`python -m trialsim`, for launchers that start a module on each device."""

from trialsim.cli.app import main

if __name__ == "__main__":
    main()
