# `make` alone prints this help. Every target does its own set-up.
.DEFAULT_GOAL := help
.PHONY: help install daily serve sources exposures client examples docs test chaos bench lint sql lock clean
.NOTPARALLEL:

PYTHON ?= python3.11
BIN := .venv/bin

help: ## this help
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

install: .venv/parsed ## install the locked packages into .venv (others call it)

# dbt parses the project here, not in the first run: fifteen seconds of a processor.
.venv/parsed: .venv/installed profiles.yml.example $(shell find dbt_project -type f -not -path '*/target/*' -not -path '*/logs/*')
	@$(BIN)/python -m warehouse.build && touch $@

.venv/python:
	$(PYTHON) -m venv .venv || { echo "error: Python 3.11 with venv is needed (Debian: python3.11-venv); PYTHON=path chooses it" >&2; exit 1; }
	@touch $@

.venv/installed: .venv/python requirements.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	@# Not to be warned of our own folders: this is their checkout.
	PYTHONWARNINGS=ignore:Editable $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@# Where Python may not keep what it compiles, each process would compile it anew.
	@$(BIN)/python -m compileall -q warehouse ingest local_lastfm exchange serve && touch $@

daily: install ## fetch, load, build, check and publish today (ARGS="--as-of …")
	@$(BIN)/scrobble daily $(ARGS)

serve: install ## the read service and pages on http://127.0.0.1:8000 (PORT=…)
	@$(BIN)/scrobble serve $(ARGS)

sources: install ## write down for dbt what the recipes say of the sources
	@$(BIN)/python -m ingest.lastfm.sources

exposures: install ## write down for dbt which pages and routes show which marts
	@$(BIN)/python -m warehouse.exposures

client: install ## a typed Python client of the API, in clients/python
	@$(BIN)/python -m serve.api.written clients/openapi.json
	@PATH="$(BIN):$$PATH" python -m openapi_python_client generate --path clients/openapi.json --output-path clients/python/scrobble_client --meta none --config clients/python/generator.yml --overwrite

examples: install ## example answers of the API, from a published demo world
	@$(BIN)/python -m serve.examples

docs: install ## the docs site of all tables, as one page in site/
	@$(BIN)/scrobble docs $(ARGS)

test: install ## every test, offline, with databases of its own
	@$(BIN)/python $(COVERAGE) -m pytest -n logical --dist worksteal $(ARGS)

chaos: install ## the long version: hundreds of kills and many processes
	@SCROBBLE_CHAOS=1 $(BIN)/python -m pytest -m chaos $(ARGS)

bench: install ## speed as ratios beside a peer in the same run
	@$(BIN)/python -m bench $(ARGS)

lint: install ## ruff and mypy
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy

sql: install ## sqlfluff over all models: minutes (pre-commit lints the changed ones)
	$(BIN)/sqlfluff lint --processes 2 dbt_project/models dbt_project/data_tests $(ARGS)

lock: install ## resolve the newest allowed versions into requirements.lock
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --no-strip-extras --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --extra dev --output-file requirements.lock pyproject.toml

clean: ## remove what make made, but never data/
	rm -rf .venv site dbt_project/target .pytest_cache .mypy_cache .ruff_cache
