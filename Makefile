# Every command of this repository. `make` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup test test-e2e test-long lint format types demo kubernetes bench jars lock lock-jars clean

BIN := .venv/bin
DAYS ?= 2
# Two processes: tests wait for servers and JVMs more than they work. A file's tests share what it starts.
BOTH := -n 2 --dist loadfile

help: ## List the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

setup: ## Make .venv from the locks, and see that Java is there; instant when nothing changed
	@tools/setup

test: setup ## Run the tests (without whole flows and long ones), and say what was skipped and why
	@$(BIN)/python -m pytest $(BOTH) $(ARGS)

test-e2e: setup ## Whole flows on real servers: Airflow, stores, drivers that are killed
	@$(BIN)/python -m pytest -m "e2e and not long" $(BOTH) $(ARGS)

test-long: setup ## All tests, also the long sweeps and races, and that both environments install apart
	@$(BIN)/python -m pytest -m "" $(ARGS)

lint: setup ## Ruff, mypy, pyright and the architecture's contracts
	@$(BIN)/ruff check --no-cache .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --warnings

format: setup ## Mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

demo: setup ## Two teams in a real Airflow, on real flights (DAYS=2)
	@$(BIN)/teamspark demo --days $(DAYS) $(ARGS)

kubernetes: setup ## Have on this machine what a local cluster is made of; Kubernetes is built once, in ten minutes
	@tools/node
	@$(BIN)/python -m k8s.local
	@$(BIN)/teamspark image build flights --thin >/dev/null

bench: setup ## Measure, and write benchmarks/results
	@$(BIN)/python -m benchmarks $(ARGS)

lock: setup ## Write the locks anew (UPGRADE=1: with newer versions)
	@tools/lock

jars: setup ## Fetch the jars that Spark needs for S3, Delta and Alluxio (SETS="s3a delta" for some of them)
	@$(BIN)/teamspark jars sync $(SETS)

lock-jars: setup ## Write the list of jars anew, after a change in framework/jars (SETS="s3a" for some of them)
	@$(BIN)/python -m framework.jars.locking $(SETS)

clean: ## Remove .venv and caches; keep .teamspark, which holds data
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist ./*.egg-info
