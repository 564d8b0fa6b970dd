# Two commands do everything: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Where it is set, every process of the tests compiles every module again, which takes as long as a fifth of them.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo demo-servers test warm lint format types unit soak bench clean setup
.DEFAULT_GOAL := test

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "cwsync needs Python 3.11 or later; try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)
	@$(BIN)/python examples/demo.py $(BIN)/cwsync

# A simulated Plex and Trakt on this machine, to try `cwsync auth login` and the rest without accounts; Ctrl-C ends it.
PORT ?= 8480
demo-servers: $(STAMP)
	@PYTHONPATH=tests exec $(BIN)/python -m simulators.serve --port $(PORT) --cwsync $(BIN)/cwsync

test: lint warm unit

# pytest compiles each test module once, in every process that finds it not done; that takes as long as the types.
warm: $(STAMP)
	@$(BIN)/pytest --collect-only -qq > /dev/null & $(BIN)/mypy && wait

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

unit: $(STAMP)
	$(BIN)/pytest -n 3 --dist worksteal

# The long forms of the proofs, each once for real; prints what they ran. docs/trust.md explains it.
# SOAK=3 searches three times as long; PARTS="cut machine" runs only these.
SOAK ?= 1
soak: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,soak]'
	PATH="$(CURDIR)/$(BIN):$$PATH" CWSYNC_SOAK=$(SOAK) $(BIN)/python tests/soak.py $(PARTS)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Measured as a user would install it: built and byte-compiled, not from the checkout.
bench: $(STAMP)
	$(PYTHON) -m venv build/bench
	build/bench/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps .
	build/bench/bin/python -m pip install --quiet --disable-pip-version-check .
	build/bench/bin/python bench/run.py $(BENCH)

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis demo-work
