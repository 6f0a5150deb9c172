# The commands of the house. Needs python3.11 (with its venv module) and make; everything else comes from pip wheels.
#   make run     start everything, run a session on synthetic data, serve the site   (PORT=8000 VAR_DIR=var)
#   make test    the whole suite, then the browser tests
#   make soak    the faults of the log at full length and surfaces of every recorded snapshot (a quarter of an hour)
#   make bench   what it costs, beside a floor or a peer measured in the same run
#   make picture   take the README's picture again
#   make docs    write docs/events.md from the payload structs and docs/market.md from the categories again, and the table of docs/causality.md
#   make lint    what CI checks before the tests
#   make setup   only install;   make clean   remove what can be made again (not var/)

SHELL := /bin/bash
PYTHON := python3.11
VENV := .venv/bin/python
digest = $(shell cat $(1) | cksum | tr ' ' -)
INSTALLED := .venv/installed-$(call digest,requirements.txt)
INSTALLED_DEV := .venv/installed-dev-$(call digest,requirements.txt requirements-dev.txt)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup setup-dev run test soak bench picture docs lint clean

setup: $(INSTALLED)

setup-dev: $(INSTALLED_DEV)

.venv/bin/pip:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is not on PATH; install Python 3.11 (on Debian: python3.11 and python3.11-venv)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) has no venv module; on Debian: apt-get install python3.11-venv" >&2; exit 1; }
	@echo "Making .venv"
	@$(PYTHON) -m venv .venv

$(INSTALLED): | .venv/bin/pip
	@echo "Installing requirements.txt into .venv"
	@$(VENV) -m pip install -qq --requirement requirements.txt
	@rm -f .venv/installed-*; touch $@

$(INSTALLED_DEV): $(INSTALLED)
	@echo "Installing requirements-dev.txt into .venv"
	@$(VENV) -m pip install -qq --requirement requirements-dev.txt
	@rm -f .venv/installed-dev-*; touch $@

run: $(INSTALLED)
	@exec $(VENV) -m brahmastra_site.launcher run

# Both calls always run; either failing fails.
test: $(INSTALLED_DEV)
	@code=0; \
	$(VENV) -m pytest -n auto -m 'not e2e' || code=$$?; \
	$(VENV) -m pytest -m e2e || code=$$?; \
	exit $$code

soak: $(INSTALLED_DEV)
	@BRAHMASTRA_SOAK=1 $(VENV) -m pytest -n 2 tests/journal/log/test_writer.py tests/journal/log/test_fuzz.py \
		tests/journal/log/test_faults.py tests/journal/test_mirror.py tests/trading/engine/test_position_machine.py tests/trading/pricing/test_real_chains.py tests/trading/strategies/test_earnings.py tests/mutation --durations=10

bench: $(INSTALLED_DEV)
	@exec $(VENV) -m brahmastra_site.bench

picture: $(INSTALLED_DEV)
	@BRAHMASTRA_PICTURES=$(CURDIR)/docs $(VENV) -m pytest -m e2e tests/e2e/test_picture.py

docs: $(INSTALLED)
	@$(VENV) manage.py market schema > docs/.market.md && mv docs/.market.md docs/market.md
	@$(VENV) manage.py log schema > docs/.events.md && mv docs/.events.md docs/events.md
	@$(VENV) -m tests.trading.causality.catches

lint: $(INSTALLED_DEV)
	@exec .ci/lint

clean:
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache test-results bench.json
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
