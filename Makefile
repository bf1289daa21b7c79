# One command per need. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo blackfriday announcement local browser test check bench chaos format translations clean

help: ## List these commands
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F':.*?## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(READY) ## Make the virtual environment (the other commands do this by themselves)

$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@echo "Installing into .venv, once; this takes a minute or two …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $(READY)

demo: $(READY) ## Run the whole shop here: ORDERS=200 RATE=5 SEED=1, EXIT=1 ends and judges, JSON=1
	@exec $(BIN)/python -m orders_site.demo $(if $(ORDERS),--orders $(ORDERS)) $(if $(RATE),--rate $(RATE)) \
		$(if $(SEED),--seed $(SEED)) $(if $(EXIT),--exit) $(if $(JSON),--json)

blackfriday: $(READY) ## A rush of orders, a consumer that lags, twelve dead letters that come home: ORDERS=500 SEED=1, JSON=1
	@exec $(BIN)/python -m orders_site.blackfriday $(if $(ORDERS),--orders $(ORDERS)) \
		$(if $(SEED),--seed $(SEED)) $(if $(JSON),--json)

announcement: $(READY) ## News for many over four channels, one provider failing over: RECIPIENTS=1000 SEED=1, JSON=1
	@exec $(BIN)/python -m orders_site.announcement $(if $(RECIPIENTS),--recipients $(RECIPIENTS)) \
		$(if $(SEED),--seed $(SEED)) $(if $(JSON),--json)

local: $(READY) ## Start only the embedded PostgreSQL, SNS/SQS and providers, for work by hand
	@exec $(BIN)/python manage.py local

check: $(READY) ## Lint, format, types, direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

browser: ## Install Chromium for the browser tests where there is none (Debian or Ubuntu, as root)
	@command -v chromium >/dev/null || test -n "$(CHROMIUM)" \
		|| { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium >/dev/null; } \
		|| { echo "The browser tests need Chromium: install it, or give its path as CHROMIUM=…"; exit 1; }

test: $(READY) browser ## Run every test on the embedded PostgreSQL, SNS/SQS and providers: ARGS=<path> some
	$(BIN)/python -m pytest $(or $(ARGS),-n 2 --dist worksteal)

bench: $(READY) ## Measure against plain Celery and the bare limit: ONLY=<name>, JSON=1
	@exec $(BIN)/python -m tests.benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json)

chaos: $(READY) ## Kill, cut off and restart everything while orders come: ORDERS=2000 (or RECIPIENTS=2000) SEED=1, JSON=1, VERBOSE=1
	@exec $(BIN)/python -m tests.chaos $(if $(ORDERS),--orders $(ORDERS)) \
		$(if $(RECIPIENTS),--recipients $(RECIPIENTS)) $(if $(SEED),--seed $(SEED)) \
		$(if $(JSON),--json) $(if $(VERBOSE),--verbose)

format: $(READY) ## Put the code into its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

translations: $(READY) ## Compile the pages' translations (locale/*/LC_MESSAGES/django.po)
	$(BIN)/pybabel -q compile -d notifications/locale -D django
	$(BIN)/pybabel -q compile -d orders_site/locale -D django

clean: ## Remove what the embedded parts keep (.local); the virtual environment stays
	rm -rf .local
