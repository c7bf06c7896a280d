# `make help` lists the targets. Everything that is made lies in .venv/ and .local/.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/installed
COMPILE := $(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11
# Turns pip's lines into a counter.
COUNT_PACKAGES := /^Collecting/ {printf "\r  %d fetched", ++n} /^Installing collected/ {printf ", installing"} \
	{fflush()} END {if (n) print ""}

.DEFAULT_GOAL := help
.PHONY: help venv up demo test screens faults faults-proof bench bench-quick bench-profile bench-growth lint lock jars

help: ## List the targets
	@grep -hE '^[a-z.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z.-]+):.*## /  make \1\t/' | expand -t 20

up: $(INSTALLED) ## Start everything on this machine and stay until Ctrl-C
	@exec ./doithoai up

demo: $(INSTALLED) ## The main job from registration to report, unattended, in a state of its own
	@exec ./doithoai demo

test: $(INSTALLED) ## All tests, on real Kafka and MongoDB
	@$(BIN)/python -m deploy.local.downloads
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/faults
	$(BIN)/python -m pytest tests/faults # alone: it needs the machine to itself

screens: $(INSTALLED) ## A picture of every page, on a phone and on a desk, in .local/screens (the tests that judge them take it)
	@$(BIN)/python -m deploy.local.downloads
	$(BIN)/python -m pytest tests/browser/test_pages.py tests/integration/test_demo.py --screens .local/screens

ROW_NAME = $(shell echo '$(ROW)' | sed -E 's/^0*([0-9])$$/0\1/; s/^hour$$/_hour/')
ROWS = $(if $(ROW),row$(ROW_NAME),row and not row_hour)

faults: $(INSTALLED) ## Every row of docs/reliability.md; one of them: make faults ROW=7; the operator's hour: make faults ROW=hour
	@$(BIN)/python -m deploy.local.downloads
	$(BIN)/python -m pytest tests/faults -s -m "faults or stack" -k "$(ROWS)"

faults-proof: $(INSTALLED) ## Every invariant against a build that breaks it
	@$(BIN)/python -m deploy.local.downloads
	$(BIN)/python -m pytest tests/faults -s -m proof

bench: $(INSTALLED) ## Every ratio against the best plain version; some of them: make bench ONLY=R4,R6
	@$(BIN)/python -m deploy.local.downloads
	$(BIN)/python -m bench --only "$(ONLY)"

bench-quick: $(INSTALLED) ## R1, R3, R4, R5 in a few minutes; more commands than allowed fail it
	@$(BIN)/python -m deploy.local.downloads
	$(BIN)/python -m bench --quick

bench-profile: $(INSTALLED) ## Where the processor time of a POST goes, intake beside the plain version
	@$(BIN)/python -m deploy.local.downloads
	$(BIN)/python -m bench --profile --seconds 20

bench-growth: $(INSTALLED) ## What pages examine at 10 k, 100 k and 1 M registrations; others: make bench-growth SIZES=10000,100000
	@$(BIN)/python -m deploy.local.downloads
	$(BIN)/python -m bench --growth $(if $(SIZES),--sizes $(SIZES))

lint: $(INSTALLED) ## Ruff, mypy, import-linter
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: $(INSTALLED) ## Write requirements.lock and requirements-dev.lock from pyproject.toml
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

jars: $(INSTALLED) ## Resolve Kafka's jars and the fonts anew and write their SHA-256
	$(BIN)/python -m deploy.local.downloads --lock

venv: $(INSTALLED) ## Make .venv and install the locked packages

$(INSTALLED): requirements-dev.lock
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo 'Python 3.11 or later is needed: install it, or name it with `make PYTHON=/path/to/python3`.' >&2; exit 1; }
	@"$(PYTHON)" -m venv .venv >/dev/null || \
		{ echo 'Python has no venv module: on Debian or Ubuntu run `sudo apt-get install python3-venv`.' >&2; exit 1; }
	@echo 'Installing the locked packages into .venv (once; about a minute)'
	@set -o pipefail; PYTHONUNBUFFERED=1 $(BIN)/python -m pip install --disable-pip-version-check --retries 2 --require-hashes \
		-r requirements-dev.lock 2> .venv/pip.err | awk '$(COUNT_PACKAGES)' || \
		{ echo "The packages could not be installed: check the network, then run the same command again (details: .venv/pip.err)." >&2; exit 1; }
	@touch $@
