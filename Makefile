PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

DEMO_STAMP := $(VENV)/.installed-demo

.PHONY: demo test pytest test-slow test-faults bench package container site audit lock sbom licenses check docs clean

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("trialsim needs Python 3.11 or newer, found " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(STAMP)

# what the demonstration needs, and no type checkers
$(DEMO_STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("trialsim needs Python 3.11 or newer, found " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[imaging]'
	touch $(DEMO_STAMP)

demo: $(DEMO_STAMP) ## synthesize a cohort, predict, compare, write the report
	$(BIN)/trialsim demo

# side by side, since types are checked by one process: on two cores that saves most of its time
test: $(STAMP) ## style, types, each behavior once
	$(MAKE) --no-print-directory --jobs 2 check pytest

# one thread a worker: more of them than cores wait for each other; long files come first, as the
# folders are named; processes that tests start read compiled modules, even where PYTHON* forbids it
pytest: $(STAMP)
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
	  $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# the marker on the command line comes last, so that it counts
test-slow: $(STAMP) ## trained networks, variants, whole runs, browsers: before a release
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
	  $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m slow

test-faults: $(STAMP) ## kill every command, damage every file: minutes
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal faults
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 FAULTS=$$((10 * $${FAULTS:-1})) \
	  $(BIN)/python -m pytest -n 2 --dist worksteal tests/cli/test_hostile_inputs.py

bench: $(STAMP) ## ratios to the naive way; what became 1.5 times slower is told
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/run.py

package: $(STAMP) ## wheel and sdist, and every command of the bare wheel in an environment of its own
	bash .ci/package

container: ## the image of the Containerfile, run under runc without a network; needs root
	bash .ci/container

site: $(STAMP) ## build/site: the documentation, its notebook executed; warnings are errors
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'mkdocs-jupyter>=0.25' 'mkdocs-material>=9.5'
	rm -rf build/docs && mkdir -p build && cp -R docs build/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

audit: $(STAMP) ## known vulnerabilities; what could not be looked up counts as one
	$(BIN)/python -m pip install --quiet pip-audit
	$(BIN)/python -m pip_audit --strict --skip-editable

lock: $(STAMP) ## the versions of everything that is installed, as constraints
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --extra all --strip-extras --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --no-header --no-annotate --output-file requirements.lock pyproject.toml
	sed -i -e '/^trialsim @/d' -e '/^#/d' -e '/^$$/d' -e 's/+cpu$$//' requirements.lock

sbom: $(STAMP) ## sbom.json: what an installation holds, as CycloneDX
	$(BIN)/python -m pip install --quiet cyclonedx-bom
	$(BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-file sbom.json

licenses: $(STAMP) ## licenses of dependencies and bundled data
	$(BIN)/python audits/licenses.py

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(STAMP) ## the references of commands and functions, from these
	$(BIN)/python docs/write_api.py
	$(BIN)/typer trialsim.cli.app utils docs --name trialsim --output docs/cli.md

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
