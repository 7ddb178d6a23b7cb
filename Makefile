# make run: set up, then clean the text that is on this machine. make test: set up, then test.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install run test lint

install: .venv/installed

.venv/installed: requirements.lock requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

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
