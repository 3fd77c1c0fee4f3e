# The one front door: every target does its own set-up inside .venv; nothing is installed globally.
BIN := .venv/bin
STAMP := .venv/.installed
# A workflow's sandbox imports its modules anew for every run, and compiles them each time if it
# finds no bytecode: a quarter of a worker's time.
unexport PYTHONDONTWRITEBYTECODE
# The first interpreter that runs and is new enough; PYTHON=... on the command line overrides it.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.DEFAULT_GOAL := help
.PHONY: help setup demo up test check bench proof record lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## build .venv from requirements.lock (hashes checked)

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and none was found on PATH;" \
		"install it, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; $(PYTHON) is `$(PYTHON) --version 2>&1`" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: setup ## play the example feed through the whole engine and check the money
	$(BIN)/disputes demo

up: setup ## run the whole stack until Ctrl-C and print its addresses
	$(BIN)/disputes up

test: setup ## run every test
	$(BIN)/python -m pytest $(ARGS)

check: setup ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup ## measure lifecycles, operations, the cost of open cases, and the doors
	$(BIN)/python -m bench.lifecycle
	$(BIN)/python -m bench.operations
	$(BIN)/python -m bench.open --sizes 300,1000
	$(BIN)/python -m bench.intake
	$(BIN)/python -m bench.webhooks
	$(BIN)/python -m bench.api --cases 20000 --requests 1000

# How long the simulated cases may take, in minutes.
PROOF_MINUTES ?= 30

proof: setup ## simulate, crash and storm cases with faults on all cores, write docs/proof.md
	$(BIN)/python -m tests.proof.simulate --minutes $(PROOF_MINUTES) --write docs/proof.md
	PROOF_EXAMPLES=100 $(BIN)/python -m pytest -q tests/proof/test_engine_property.py
	$(BIN)/python -m tests.proof.crash --write docs/proof.md
	$(BIN)/python -m tests.proof.storm --write docs/proof.md

record: setup ## record the histories that tests replay (docs/changing-workflows.md)
	$(BIN)/python -m tests.replay.record

lock: ## write requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-header --no-emit-index-url --no-annotate --quiet \
		--output-file requirements.lock

clean: ## remove .venv, caches and builds (the stack's data in .disputes stays)
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
