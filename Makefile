# Two commands: `make run` sets everything up and serves the demonstration; `make test` runs what CI runs.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
DEMO ?=
WORKERS ?= 2
.DELETE_ON_ERROR:
.PHONY: run test lint check bench soak lock messages docs clean

# uv where it is installed, else pip; both take the same pinned and hashed list.
define install
	@if command -v uv >/dev/null 2>&1; then \
	  VIRTUAL_ENV=$(VENV) uv pip install --quiet --require-hashes -r $(1); \
	else \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r $(1); \
	fi
endef

$(VENV)/created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: try make PYTHON=python3.11")'
	@echo "Making the virtual environment ..."
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian: apt-get install python3-venv"; exit 1; }
	@touch $@

$(VENV)/runtime: requirements/runtime.txt | $(VENV)/created
	@echo "Installing the pinned packages (about half a minute the first time) ..."
	$(call install,requirements/runtime.txt)
	@touch $@

$(VENV)/dev: requirements/dev.txt requirements/runtime.txt | $(VENV)/created
	@echo "Installing the pinned packages for development ..."
	$(call install,requirements/dev.txt)
	@touch $(VENV)/runtime $@

run: $(VENV)/runtime
	@$(BIN)/python -m portal.demo.start --port $(PORT) $(if $(filter fresh,$(DEMO)),--fresh)

test: $(VENV)/dev
	@$(BIN)/python -m tests.machine
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint:
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell portal templates docs tests app.py README.md CHANGELOG.md CONTRIBUTING.md

# No browser and no server: under a minute.
check: $(VENV)/dev lint
	@PORTAL_TEST_PROFILE=quick $(BIN)/python -m pytest -n $(WORKERS) -m "not browser and not slow" -k "not postgresql"

$(VENV)/bench: requirements/bench.txt $(VENV)/dev
	@echo "Installing what the bench compares with ..."
	$(call install,requirements/bench.txt)
	@touch $@

bench: $(VENV)/bench
	@$(BIN)/python -m tests.machine --postgres-only
	@$(BIN)/python -m tests.bench
	@$(BIN)/python -m tests.bench.day --seconds 20
	@$(BIN)/python -m tests.bench.webhooks
	@$(BIN)/python -m tests.bench.schedules
	@$(BIN)/python -m tests.bench.amounts
	@$(BIN)/python -m tests.bench.texts
	@$(BIN)/python -m tests.bench.intake

# The proofs at full size: five million steps of the machines, every planted bug, a thousand orders of twenty events,
# a kill after every statement, 10,000 orders of payments and a file, ten million codes at random, 100,000 deliveries to three servers. Hours; `make soak SOAK="--steps 200000"`, see CONTRIBUTING.
SOAK ?=
soak: $(VENV)/dev
	@$(BIN)/python -m tests.machine --postgres-only
	@$(BIN)/python -m tests.soak $(SOAK)
	@PORTAL_TEST_PROFILE=soak $(BIN)/python -m pytest tests/intake/test_size.py tests/intake/test_interleavings.py -q -n0

# Maintenance: pinned packages, catalogues, generated papers.
lock: $(VENV)/dev
	@uv pip compile pyproject.toml --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command "make lock" -q -o requirements/runtime.txt
	@uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command "make lock" -q -o requirements/dev.txt
	@uv pip compile pyproject.toml --extra dev --extra bench --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command "make lock" -q -o requirements/bench.txt

messages: $(VENV)/dev
	@$(BIN)/pybabel -q extract -F babel.cfg -k _l -k _n:1,2 -k N_ --no-location --sort-output --project=portal --version=0 -o translations/messages.pot .
	@for l in zh zh_Hant en; do $(BIN)/pybabel -q update -N --no-wrap --ignore-pot-creation-date --omit-header -i translations/messages.pot -d translations -l $$l; done
	@$(BIN)/pybabel -q compile -d translations

docs: $(VENV)/dev
	@$(BIN)/python -m tests.whole.draw_states

clean:
	rm -rf $(VENV) var .mypy_cache .ruff_cache .hypothesis
