# make run: set up, clean the text that is on this machine, train a tokenizer and a small GPT on it. make test: set up with
# the development tools, test. make docs: the documentation, to read in a browser.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
ROOMS := pipelines filters dedup tokenizers_lab pretrain flows
PYTEST := $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
	--max-worker-restart 0
APART := apart() { $(PYTHON) -m venv --without-pip $$1 && \
	UV_FIND_LINKS="$$PIP_FIND_LINKS" build/uv/bin/uv pip install --quiet --python "$$@"; }
CHECKS := tests/test_layers.py tests/test_prose.py tests/test_doctests.py

unexport PYTHONDONTWRITEBYTECODE # or each command compiles our modules again: 0.6 CPU s

.PHONY: install develop namespace run check style types sentences quick test others coverage dist docs lint lock peers interop

install: .venv/compiled

develop: .venv/compiled .venv/installed-dev namespace

# Rooms are imported as gristmill.<room>. mypy, pyright and editors do not follow the import hook of an editable
# install: these links show them the namespace.
namespace:
	@mkdir -p build/namespace/gristmill
	@ln -sfn $(addprefix ../../../,$(ROOMS) recipes $(wildcard gristmill/*.py) gristmill/py.typed) build/namespace/gristmill

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) install --no-compile --requirement requirements.lock
	$(BIN)/python -m compileall -qq --workers 0 .venv/lib || true # as pip does, but on all cores; some are no Python
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

.venv/compiled: .venv/installed
	$(BIN)/gristmill compile
	touch $@

.venv/installed-dev: requirements-dev.lock .venv/installed
	$(PIP) install --no-compile --requirement requirements.lock --requirement requirements-dev.lock
	touch $@

# Both locks, as pyproject.toml resolves today.
lock:
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/python -m tools.lock

run: install
	$(BIN)/gristmill demo --output demo
	$(BIN)/gristmill clean clean-corpus --input demo --output work
	$(BIN)/gristmill tokenizer train work --vocab-size 4096 --output work/tokenizers/bpe
	$(BIN)/gristmill tokenize work --tokenizer work/tokenizers/bpe --output work/tokens/bpe
	$(BIN)/gristmill pretrain work/tokens/bpe --preset nano --steps 100 --output work/runs/nano
	$(BIN)/gristmill generate work/runs/nano --prompt "The"
	$(BIN)/gristmill report work

# Before each commit, in a minute (`make --jobs 2 check`: less): lint, format, types, layers, sentences, examples in
# docstrings.
check: style types sentences

style: develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: develop
	$(BIN)/python -m mypy

sentences: develop
	$(BIN)/python -m pytest --quiet $(CHECKS)

# Tests that take less than ten seconds and start no Prefect server.
quick: develop
	$(PYTEST) -m "not slow and not flow"

test: check others

# The other tests; with `--jobs 2` mypy runs beside them.
others: style sentences
	$(PYTEST) --durations 20 $(addprefix --ignore=,$(CHECKS))

# Percent of lines that the tests run, for each room. Kernels are left out: compiled, they leave no trace, and without
# compilation the tests take hours. Their twins in tests/reference and tools/mutate.py answer for them.
coverage: develop
	$(PYTEST) --cov --cov-report=
	@for room in $(ROOMS); do \
		printf '%-16s%4s %%\n' $$room $$($(BIN)/python -m coverage report --include="$$room/*" --format=total); done

# Wheel and source distribution in dist/, the wheel tried in an environment of its own.
dist: develop
	$(BIN)/python -m tools.dist dist
	GRISTMILL_WHEEL=$$(ls -t dist/*.whl | head -1) $(BIN)/python -m pytest --quiet tests/test_wheel.py

# The documentation in docs/site, with a reference made from the settings and commands; open docs/site/index.html.
docs: develop
	$(BIN)/python -m tools.docs_site

lint: develop
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The tools that benchmarks compare with; two do not install beside the others. pip took over an hour to resolve them,
# uv takes seconds; it reads no settings of pip.
peers: build/uv/bin/uv
	$(APART); for peer in .venv:--requirement=benchmarks/peers.txt "juicer:py-data-juicer==1.6.1 aiohttp==3.14.5" \
		text-dedup:text-dedup==0.4.0; do apart build/peers/$${peer%%:*} $${peer#*:} || exit 1; done

# The trainers' readers of token files, each in an environment of its own: their pins do not meet.
interop: build/uv/bin/uv
	$(APART); for client in megatron:megatron-core==0.16.1 litdata:litdata==0.2.76 mds:mosaicml-streaming==0.13.0 \
		"datatrove:datatrove==0.10.1 xxhash==3.8.2 tokenizers"; do \
		apart build/interop/$${client%%:*} torch==2.13.0 $${client#*:} || exit 1; done

build/uv/bin/uv:
	$(PYTHON) -m venv build/uv
	build/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
