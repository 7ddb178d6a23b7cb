# make run: set up, clean the text that is on this machine, train a tokenizer and a small GPT on it. make test: set up, test.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: install run test lint lock peers interop

install: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) install --requirement requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

# Names and versions of all that pyproject.toml asks for, as they resolve today.
lock:
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check '.[dev,spacy,s3,cluster]'
	build/lock/bin/python -m pip freeze --all --exclude pip --exclude gristmill | sed 's/+cpu$$//' > requirements.lock

run: install
	$(BIN)/gristmill demo --output demo
	$(BIN)/gristmill clean clean-corpus --input demo --output work
	$(BIN)/gristmill tokenizer train work --vocab-size 4096 --output work/tokenizers/bpe
	$(BIN)/gristmill tokenize work --tokenizer work/tokenizers/bpe --output work/tokens/bpe
	$(BIN)/gristmill pretrain work/tokens/bpe --preset nano --steps 100 --output work/runs/nano
	$(BIN)/gristmill generate work/runs/nano --prompt "The"
	$(BIN)/gristmill report work

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations 20

lint: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The tools that benchmarks compare with, in an environment of their own.
peers:
	$(PYTHON) -m venv build/peers/.venv
	build/peers/.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/peers.txt

# The trainers' readers of token files, each in an environment of its own: their pins do not meet.
interop:
	for client in megatron:megatron-core==0.16.1 litdata:litdata==0.2.76 mds:mosaicml-streaming==0.13.0 \
		"datatrove:datatrove==0.10.1 xxhash==3.8.2 tokenizers"; do \
		$(PYTHON) -m venv build/interop/$${client%%:*} && build/interop/$${client%%:*}/bin/python -m pip install --quiet \
		--disable-pip-version-check torch==2.13.0 $${client#*:}; done
