"""`python -m trialsim`, for launchers that start a module on each device."""

from trialsim.cli.start import main

if __name__ == "__main__":
    main()
