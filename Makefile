# make run: set up, then clean the text that is on this machine. make test: set up, then test.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: install run test lint lock peers

install: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) install --requirement requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

# Names and versions of all that pyproject.toml asks for, as they resolve today.
lock:
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check '.[dev,spacy]'
	build/lock/bin/python -m pip freeze --all --exclude pip --exclude gristmill > requirements.lock

run: install
	$(BIN)/gristmill demo --output demo
	$(BIN)/gristmill clean recipes/clean-corpus.toml --input demo --output work

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest

lint: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The tools that benchmarks compare with, in an environment of their own.
peers:
	$(PYTHON) -m venv build/peers/.venv
	build/peers/.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/peers.txt
