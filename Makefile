# One word for each thing a developer does; `make help` lists them.
# Everything is installed inside the checkout (.venv, .venv313, tests/node_modules), and only when what it is
# made from has changed.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first interpreter that runs and is new enough: a name on PATH may be a shim of pyenv that only fails.
PYTHON = $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# Azure runs lami on Python 3.13, and so does the test in Microsoft's own Functions worker.
PYTHON313 = $(shell for p in python3.13 $$HOME/.pyenv/versions/3.13*/bin/python; do \
	$$p -c 'import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null && echo $$p && break; done)
PIP_INSTALL = -m pip --disable-pip-version-check -qq install
RUFF_ON = lami tests function_app.py

##@ To see it
.PHONY: demo
demo: .venv/.stamp-run ## a redeploy, its stale grants and a broad one, played on a small Azure on this machine
	@.venv/bin/lami demo $(ARGS)

.PHONY: serve
serve: .venv/.stamp-run ## lami itself; settings from the environment (docs/reference.md)
	@.venv/bin/lami serve $(ARGS)

##@ To work on it
.PHONY: test
test: test-env ## every test (ARGS="tests/core -k reach" for some)
	@.venv/bin/python -m pytest $(ARGS)

.PHONY: bench
bench: .venv/.stamp-run ## what lami costs here, beside the least that it could (ARGS="core event" for some)
	@.venv/bin/lami bench $(ARGS)

.PHONY: simulate
simulate: .venv/.stamp-test ## the random schedules of one seed again (SEED=7; KIND="once" WIDTH=narrow: only that)
	@.venv/bin/python -m tests.simulation $(or $(SEED),0) --kind "$(KIND)" --width "$(WIDTH)"

.PHONY: simulate-long
simulate-long: .venv/.stamp-test ## a million random schedules on all cores, some 4 hours on two (SEED=: from there on)
	@.venv/bin/python -m tests.simulation $(or $(SEED),0) --count $(or $(COUNT),1000000)

.PHONY: mutants
mutants: .venv/.stamp-test ## how many schedules it takes to notice each rule that is left out
	@.venv/bin/python -m tests.simulation.mutants

.PHONY: fuzz-long
fuzz-long: test-env ## tests/properties with many and ever new cases (CASES=100000, an hour on a quiet core)
	@LAMI_CASES=$(or $(CASES),100000) .venv/bin/python -m pytest tests/properties $(ARGS)

.PHONY: faults-long
faults-long: test-env ## every crash point to the story's end, and 200 kills of lami serve (KILLS=200)
	@LAMI_FAULTS_LONG=1 LAMI_KILLS=$(or $(KILLS),200) .venv/bin/python -m pytest tests/faults $(ARGS)

.PHONY: reach
reach: .venv/.stamp-test ## docs/reach.md anew, from the golden classification of the built-in roles
	@.venv/bin/python -m tests.reach page

.PHONY: golden
golden: .venv/.stamp-test ## that classification anew, as lami judges: read the diff before you believe it
	@.venv/bin/python -m tests.reach golden

.PHONY: test-env
test-env: .venv/.stamp-test tests/node_modules/.stamp-azurite
	@if [ -n "$(PYTHON313)" ]; then $(MAKE) --no-print-directory --silent .venv313/.stamp-worker; \
	else echo "No Python 3.13 here: the tests in Microsoft's Functions worker will be skipped."; \
	echo "  Debian 13: apt-get install python3.13-venv; elsewhere: pyenv install 3.13"; fi

.PHONY: lint
lint: .venv/.stamp-test ## ruff's rules
	@.venv/bin/ruff check $(RUFF_ON)

.PHONY: types
types: .venv/.stamp-test ## mypy, strict
	@.venv/bin/mypy

.PHONY: format
format: .venv/.stamp-test ## rewrite the code as ruff lays it out
	@.venv/bin/ruff format $(RUFF_ON)

.PHONY: format-check
format-check: .venv/.stamp-test ## say what `make format` would change
	@.venv/bin/ruff format --check $(RUFF_ON)

.PHONY: check
check: ## all that .ci/run demands
	@bash .ci/run

.PHONY: lock
lock: ## requirements.txt anew from pyproject.toml, for Python 3.13
	@$(if $(PYTHON313),,$(error a lock is made on Python 3.13, and none was found: pyenv install 3.13))
	@echo "Resolving pyproject.toml on Python 3.13 ..."
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PYTHON313) -m venv "$$folder"; \
	"$$folder/bin/python" $(PIP_INSTALL) .; \
	{ grep '^#' requirements.txt; \
	"$$folder/bin/python" -m pip --disable-pip-version-check freeze --exclude lami; } > "$$folder/lock"; \
	cp "$$folder/lock" requirements.txt
	@git --no-pager diff --stat requirements.txt

.PHONY: clean
clean: ## remove what make made
	rm -rf .venv .venv313 tests/node_modules build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { print "\n" substr($$0, 5) } \
	/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- what the above stand on ---------------------------------------------------------------------------------

.venv/.stamp-run: pyproject.toml
	@$(if $(PYTHON),,$(error lami needs Python 3.11 or newer: sudo apt-get install python3 python3-venv))
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "$(PYTHON) comes without its venv module: sudo apt-get install python3-venv"; exit 1; }
	@echo "Installing lami into .venv ..."
	@$(PYTHON) -m venv .venv
	@.venv/bin/python $(PIP_INSTALL) -e .
	@touch $@

.venv/.stamp-test: .venv/.stamp-run
	@echo "Installing what the tests need into .venv ..."
	@.venv/bin/python $(PIP_INSTALL) -e '.[test]'
	@touch $@

tests/node_modules/.stamp-azurite: tests/package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || { \
	echo "The tests run Azurite, Microsoft's emulator of Table Storage, which needs node and npm:"; \
	echo "  sudo apt-get install nodejs npm"; exit 1; }
	@echo "Installing Azurite into tests/node_modules ..."
	@cd tests && npm ci --silent --no-audit --no-fund
	@touch $@

# Rebuilt from nothing, so that it holds exactly what requirements.txt lists: the test that the app imports
# from that file alone means something.
.venv313/.stamp-worker: requirements.txt tests/functions/requirements.txt tests/functions/prepare.py
	@echo "Installing requirements.txt and Microsoft's Functions worker into .venv313 ..."
	@$(PYTHON313) -m venv --clear .venv313
	@.venv313/bin/python $(PIP_INSTALL) -r requirements.txt
	@.venv313/bin/python tests/functions/prepare.py
	@touch $@
