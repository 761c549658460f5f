# Everything runs in a virtual environment of its own, made on first use.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test lowest thorough exhaustive soundness nightly bugs exponential cluster runtimes training browser lint benchmark package docs clean

demo: $(VENV)/handcraft  ## build, explain and verify aab
	$(BIN)/handcraft build programs/aab.py
	$(BIN)/handcraft explain programs/aab.py
	$(BIN)/handcraft verify programs/aab.py

# A process a core, so each calculates on one thread.
SUITE = OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --durations=20 --durations-min=1

test: $(VENV)/test  ## the quick tests: some three minutes on two cores; property tests draw a few of their examples
	$(SUITE)

lowest: $(VENV)-lowest/test  ## the quick tests with the oldest dependencies that pyproject.toml allows
	$(VENV)-lowest/bin/python tests/lowest.py --check
	OPENBLAS_NUM_THREADS=1 $(VENV)-lowest/bin/python -m pytest -n auto

thorough: $(VENV)/test $(VENV)/lint  ## what `make test` leaves out: the slow tests, and all the examples of the property tests
	$(SUITE) -m "slow or hypothesis" --hypothesis-profile=full

exhaustive: $(VENV)/test  ## the tests that take minutes
	$(BIN)/python -m pytest -o addopts= -n auto tests/exhaustive

exponential: $(VENV)/handcraft  ## what a certificate assumes of exp and tanh: every float32, some minutes
	$(BIN)/handcraft assumptions

soundness: $(VENV)/test  ## wrong programs, 200 wrong models of each directed family, 10,000 random models, mutants
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -o addopts= -q -n 2 tests/soundness

nightly: $(VENV)/test bugs  ## the same with 2,000 of each family and 1,000,000 random ones, 20,000 random expressions and longer texts, 10,000 mutants of each; goes on where it was stopped
	SEQUENCE_EXAMPLES=20000 LOWERING_MUTANTS=10000 SUITE_PROGRAMS=100 $(SUITE) -m "" --hypothesis-profile=full \
		tests/test_sequence_random.py tests/test_sequence_programs.py tests/test_sequence_library.py \
		tests/test_lowering_random.py tests/test_lowering_mutants.py tests/test_suite.py
	LANE_MUTANTS=10000 LANE_PROGRAMS=10000 LANE_EDITS=100000 $(SUITE) -m "" --hypothesis-profile=full \
		tests/test_lanes_mutants.py tests/test_lanes_random.py tests/test_lanes_certificates.py
	SOUNDNESS_DIRECTED=2000 SOUNDNESS_UNFOUND=1000 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -o addopts= -q -n 2 tests/soundness/test_directed.py
	OPENBLAS_NUM_THREADS=1 $(BIN)/python tests/soundness/edits.py --edits 100000
	$(BIN)/python tests/soundness/campaign.py --models 1000000 --jobs 2 --state build/soundness.json

bugs: $(VENV)/test  ## bugs put into the prover one at a time: its tests must notice 95% of them
	$(BIN)/python tests/soundness/bugs.py --jobs 2

cluster: $(VENV)/test $(VENV)/cluster  ## real clusters on this machine, whose workers are killed
	$(BIN)/python -m pytest -o addopts= tests/cluster

runtimes: $(VENV)/test $(VENV)/runtimes  ## every program in every runtime, and a real GPT-2 in our forward pass
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -o addopts= -q -n 2 tests/runtimes

training: $(VENV)/test $(VENV)/training  ## models trained with JAX, and runs that are killed and go on
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -o addopts= -q -n 2 tests/training

browser: $(VENV)/test $(VENV)/browser  ## the page of `handcraft view` in Chromium, its script in node and held to its types
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -o addopts= -q -n 2 tests/browser

lint: $(VENV)/test $(VENV)/lint  ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

benchmark: $(VENV)/test $(VENV)/benchmark $(VENV)/browser  ## speed, in one process
	$(BIN)/python -m pytest -o addopts= tests/benchmarks

package: $(VENV)/package  ## the wheel, installed and run away from the checkout
	sh tests/package.sh $(BIN)/python

docs: $(VENV)/test  ## the generated parts of README.md and docs/; verifies every program
	$(BIN)/python docs/make_pictures.py
	$(BIN)/python docs/make_readme.py
	OPENBLAS_NUM_THREADS=1 $(BIN)/python docs/make_programs.py

$(VENV)/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade "pip>=25.1"
	touch $@

$(VENV)/handcraft: $(VENV)/python pyproject.toml
	$(PIP) install --editable .
	touch $@

$(VENV)-lowest/test: pyproject.toml tests/lowest.py
	$(PYTHON) -m venv --clear $(VENV)-lowest
	$(VENV)-lowest/bin/python -m pip --disable-pip-version-check --quiet install --upgrade "pip>=25.1"
	$(VENV)-lowest/bin/python tests/lowest.py >$(VENV)-lowest/pins
	$(VENV)-lowest/bin/python -m pip --disable-pip-version-check --quiet install --constraint $(VENV)-lowest/pins \
		--editable . --group test
	touch $@

$(VENV)/test $(VENV)/cluster $(VENV)/runtimes $(VENV)/training $(VENV)/lint $(VENV)/benchmark $(VENV)/package: $(VENV)/%: $(VENV)/handcraft
	$(PIP) install --group $*
	touch $@

$(VENV)/browser: $(VENV)/handcraft tests/browser/package-lock.json
	for needed in chromium chromedriver node npm; do \
		command -v $$needed >/dev/null || { echo "the tests of the page need $$needed" >&2; exit 1; }; done
	$(PIP) install --group browser
	npm ci --prefix tests/browser --no-audit --no-fund --silent
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-lowest build dist
