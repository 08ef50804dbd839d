# Auditor. `make` alone lists what there is; `make demo` and `make test` set themselves up.
PY ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.lock-installed
LOCK_BEFORE ?= $(shell date -u -d '7 days ago' +%Y-%m-%d)

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-all check docs lock bench clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv and install what requirements.lock names

demo: $(STAMP) ## a seeded company, six weeks of history, and the dashboard on it
	@$(BIN)/auditor demo

up: $(STAMP) ## web, worker and schedule in one process on the embedded database
	@$(BIN)/auditor up

test: $(STAMP) ## every test that this machine can run; what it cannot is reported
	@$(BIN)/python -m pytest -n 2 --dist loadfile

test-all: check test ## what the build runs

check: $(STAMP) ## formatting, lint, types, import contracts, every example of every check
	@$(BIN)/ruff format --check --quiet . || { echo "run: .venv/bin/ruff format ."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/auditor controls lint
	@$(BIN)/auditor controls test

lock: $(STAMP) ## resolve requirements.lock anew, nothing younger than a week
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --upgrade \
	  --exclude-newer $(LOCK_BEFORE) --no-emit-index-url --no-emit-find-links --no-header --quiet --output-file requirements.lock

docs: $(STAMP) ## write docs/coverage.md anew from the definitions
	@$(BIN)/python -m controls.coverage_page > docs/coverage.md

bench: $(STAMP) ## measure scanning and judging, and write benchmarks/README.md
	@$(BIN)/python -m benchmarks

clean: ## forget .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(STAMP): requirements.lock pyproject.toml
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed (make PY=python3.12 …)"; exit 1; }
	@test -x $(BIN)/python || $(PY) -m venv $(VENV) || { echo "no venv module: apt-get install python3-venv"; exit 1; }
	@echo "installing what requirements.lock names …"
	@( $(BIN)/python -m pip install --quiet uv 2>/dev/null && \
	   $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock 2>/dev/null && \
	   $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . ) || \
	 ( $(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock && \
	   $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e . )
	@touch $@
