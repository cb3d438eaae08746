# Every verb of the project. Needs Python 3.11 or newer, git and make; installs the rest into .venv.
PYTHON ?= python3
UV ?= uv
ARGS ?=

BIN := .venv/bin
STAMP := .venv/.installed
PEERS := tests/peers
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check --no-input
LOCK := pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test lint types imports pytest peers format fuzz bench drill drill-fleet revision lock clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## install everything into .venv; leaves .venv/bin/opengage

$(STAMP): requirements.lock requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "opengage needs Python 3.11 or newer, and '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Name a newer one, for example: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' comes without its venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "==> making .venv with $$($(PYTHON) --version)"; $(PYTHON) -m venv --clear .venv; }
	@echo "==> installing the locked requirements into .venv"
	@$(PIP) install --only-binary :all: --require-hashes --requirement requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## run the main job on real input: a thousand texts to a thousand handsets
	@$(BIN)/opengage demo $(ARGS)

serve: $(STAMP) ## keep a server running: API, dispatcher and SMSC simulator on ./data
	@$(BIN)/opengage serve $(ARGS)

test: $(STAMP) peers lint types imports pytest ## every check and every test

lint: $(STAMP) ## style and formatting
	@echo "==> lint"
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: $(STAMP) ## strict types
	@echo "==> types"
	@$(BIN)/mypy

imports: $(STAMP) ## the direction of imports
	@echo "==> imports"
	@$(BIN)/lint-imports

pytest: $(STAMP) peers ## the tests; ARGS="-k wire" picks some
	@echo "==> tests"
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

# Foreign SMPP peers for the tests; without npm their tests are skipped (in CI a skip is a failure).
peers: ## the foreign peers that the tests talk to
	@if [ -f $(PEERS)/package.json ] && command -v npm >/dev/null 2>&1 \
		&& [ ! $(PEERS)/node_modules/.package-lock.json -nt $(PEERS)/package-lock.json ]; then \
		echo "==> peers"; cd $(PEERS) && npm ci --no-audit --no-fund --loglevel=error; fi

format: $(STAMP) ## let ruff rewrite the code
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

fuzz: $(STAMP) ## requests that nobody thought of, to every operation, for ten minutes; ARGS="--seconds 60 --seed 7"
	@PYTHONPATH=tests $(BIN)/python -m api.fuzzing $(ARGS)

bench: $(STAMP) ## benchmarks, each beside the raw limit of the same run
	@$(BIN)/python -m bench $(ARGS)

drill: $(STAMP) ## the proof that no text is lost or doubled: 10,000 schedules, then real processes on both databases
	@OPENGAGE_SIMULATION_SCHEDULES=$${OPENGAGE_SIMULATION_SCHEDULES:-10000} $(BIN)/python -m pytest tests/simulation -q --numprocesses 2
	@PYTHONPATH=tests $(BIN)/python -m drill $(ARGS)

drill-fleet: $(STAMP) ## the same on many machines over one PostgreSQL: killed, cut off, failed over, restarted
	@PYTHONPATH=tests $(BIN)/python -m drill.many $(ARGS)

revision: $(STAMP) ## draft the coming release's schema revision from the declared tables
	@PYTHONPATH=tests $(BIN)/python tests/store/migrations/draft.py 0002 "All that a blast can be told"
	@$(BIN)/ruff format --quiet src/opengage/store/migrations/versions

lock: ## renew the lock files (needs uv)
	@command -v $(UV) >/dev/null 2>&1 || { \
		echo "make lock needs uv: install it, or name it: make lock UV=/path/to/uv" >&2; exit 1; }
	$(UV) $(LOCK) pyproject.toml --output-file requirements.lock
	$(UV) $(LOCK) pyproject.toml --extra dev --constraint requirements.lock --output-file requirements-dev.lock

clean: ## remove what setup, tests and demo left
	rm -rf .venv demo-data build dist $(PEERS)/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests bench drill examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
