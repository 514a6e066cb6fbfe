# The verbs of this project. README.md says what each does; `run` and `test` set up what they need.

PYTHON ?= python3
PORT ?= 3000
# Tests wait more than they compute: as many run at once as there are processors.
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

AGENT_SOURCES := $(shell find agent playbooks collections/ansible_collections -type f -not -name '*.pyc' 2>/dev/null)
VENDOR_STAMP := server/web/static/vendor/.stamp

.PHONY: run test check fix agent bench setup clean help

help:
	@echo "make run     set up, start the server, enrol this machine and dry-run a patch playbook on it (ONCE=1, PORT=3000)"
	@echo "make test    set up what tests need and run all of them (QUICK=1 leaves out those marked real)"
	@echo "make check   lint, types, walls, templates, playbooks"
	@echo "make fix     what a machine can fix"
	@echo "make agent   build dist/patchmon-agent.pyz"
	@echo "make bench   measure, and print the table of ratios"

$(VENV)/.made:
	@$(PYTHON) tools/need_python.py
	@printf '\033[2m▸ Creating the environment\033[0m\n'
	@$(PYTHON) -m venv $(VENV)
	@# Dependency groups need it, and what a distribution ships may be older.
	@$(PIP) install 'pip>=25.1'
	@touch $@

$(VENV)/.run: $(VENV)/.made pyproject.toml
	@printf '\033[2m▸ Installing the server and what the agent is built from\033[0m\n'
	@$(PIP) install -e '.[embedded]'
	@$(PIP) install --group build --group agent
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@printf '\033[2m▸ Installing what tests and checks need\033[0m\n'
	@$(PIP) install --group dev
	@touch $@

$(VENDOR_STAMP): $(VENV)/.run package-lock.json server/web/static/icons/names.txt tools/vendor.py
	@printf '\033[2m▸ Fetching the front-end packages\033[0m\n'
	@$(BIN)/python tools/vendor.py
	@touch $@

dist/patchmon-agent.pyz: $(VENV)/.run $(AGENT_SOURCES) tools/build_agent.py
	@printf '\033[2m▸ Building the agent\033[0m\n'
	@$(BIN)/python tools/build_agent.py

agent: dist/patchmon-agent.pyz

setup: $(VENV)/.dev $(VENDOR_STAMP) agent

run: $(VENV)/.run $(VENDOR_STAMP) agent
	@$(BIN)/patchmon quickstart --port $(PORT) $(if $(ONCE),--once)

test: setup
	@$(BIN)/python tools/test_needs.py
	@mkdir -p build
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --junitxml=build/junit.xml $(if $(QUICK),-m "not real") $(ARGS)

check: setup
	@$(BIN)/python tools/check.py

fix: $(VENV)/.dev
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .
	@$(BIN)/djlint --reformat --quiet templates || true
	@$(BIN)/python -m tools.route_table

bench: setup
	@$(BIN)/python -m benchmarks $(ARGS)

clean:
	@rm -rf build dist $(VENV) node_modules server/web/static/vendor
