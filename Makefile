# One command per need. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# Where it is set, each process compiles anew whatever nobody has compiled, every test among it.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo blackfriday announcement local browser test screenshots check bench chaos soak audit sbom licences format translations clean

help: ## List these commands
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F':.*?## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(READY) ## Make the virtual environment (the other commands do this by themselves)

$(READY): requirements.txt # it names all there are, so pip need not look for more
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@echo "Installing into .venv, once; this takes a minute or two …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --no-compile --no-deps --disable-pip-version-check \
		--require-hashes -r requirements.txt
	@touch $(READY)

demo: $(READY) ## Run the whole shop here: ORDERS=200 RATE=5 SEED=1, EXIT=1 ends and judges, JSON=1, TROUBLE=1 leaves some to mend
	@exec $(BIN)/python -m orders_site.demo $(if $(ORDERS),--orders $(ORDERS)) $(if $(RATE),--rate $(RATE)) \
		$(if $(SEED),--seed $(SEED)) $(if $(EXIT),--exit) $(if $(JSON),--json) $(if $(TROUBLE),--trouble)

blackfriday: $(READY) ## A rush of orders, a consumer that lags, twelve dead letters that come home: ORDERS=500 SEED=1, JSON=1
	@exec $(BIN)/python -m orders_site.blackfriday $(if $(ORDERS),--orders $(ORDERS)) \
		$(if $(SEED),--seed $(SEED)) $(if $(JSON),--json)

announcement: $(READY) ## News for many over four channels, one provider failing over: RECIPIENTS=1000 SEED=1, JSON=1
	@exec $(BIN)/python -m orders_site.announcement $(if $(RECIPIENTS),--recipients $(RECIPIENTS)) \
		$(if $(SEED),--seed $(SEED)) $(if $(JSON),--json)

local: $(READY) ## Start only the embedded PostgreSQL, SNS/SQS and providers, for work by hand
	@exec $(BIN)/python manage.py local

check: types lint ## Lint, format, types, direction of imports, the CloudFormation template

.PHONY: types lint
types: $(READY)
	$(BIN)/mypy

lint: $(READY)
	$(BIN)/pip check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	env -i PATH="$$PATH" $(BIN)/python manage.py cloudformation --check
	$(BIN)/cfn-lint deploy/cloudformation.json

browser: ## Install Chromium for the browser tests where there is none (Debian or Ubuntu, as root)
	@command -v chromium >/dev/null || test -n "$(CHROMIUM)" \
		|| { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium >/dev/null; } \
		|| { echo "The browser tests need Chromium: install it, or give its path as CHROMIUM=…"; exit 1; }

test: $(READY) browser ## Run every test on the embedded PostgreSQL, SNS/SQS and providers: ARGS=<path> some
	$(BIN)/python -m pytest $(or $(ARGS),-n 3 --dist worksteal)

screenshots: $(READY) browser ## Take pictures of every page of a running demo: docs/screenshots
	SCREENSHOTS=docs/screenshots $(BIN)/python -m pytest -q tests/browser/test_walk.py tests/browser/test_walk_mending.py

bench: $(READY) ## Measure against plain Celery and the bare limit: ONLY=<name>, JSON=1
	@exec $(BIN)/python -m tests.benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json)

chaos: $(READY) ## Kill, cut off and restart everything while orders come: ORDERS=2000 (or RECIPIENTS=2000) SEED=1, JSON=1, VERBOSE=1
	@exec $(BIN)/python -m tests.chaos $(if $(ORDERS),--orders $(ORDERS)) \
		$(if $(RECIPIENTS),--recipients $(RECIPIENTS)) $(if $(SEED),--seed $(SEED)) \
		$(if $(JSON),--json) $(if $(VERBOSE),--verbose)

soak: $(READY) ## Half of what it can take for MINUTES=20, a little going wrong: what grows? SEED=1, JSON=1, VERBOSE=1
	@exec $(BIN)/python -m tests.soak $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(SEED),--seed $(SEED)) $(if $(JSON),--json) $(if $(VERBOSE),--verbose)

TOOLS := .local/supply-chain
$(TOOLS)/.ready: tests/supply_chain/tools.txt # an environment of their own: they need other packages than we do
	@rm -rf $(TOOLS) && $(PYTHON) -m venv $(TOOLS)
	@$(TOOLS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

audit: $(READY) $(TOOLS)/.ready ## Known vulnerabilities of every package that is installed; asks PyPI and npm
	@exec $(BIN)/python -m tests.supply_chain.audit $(TOOLS)/bin

sbom: $(READY) $(TOOLS)/.ready ## Every package as CycloneDX JSON: OUT=sbom.json, OF=/path/to/another/python
	@$(TOOLS)/bin/cyclonedx-py environment $(or $(OF),$(BIN)/python) --pyproject pyproject.toml \
		--mc-type application --output-reproducible --of JSON -o $(or $(OUT),.local/sbom.json)
	@echo "$(or $(OUT),.local/sbom.json)"

licences: $(READY) ## Write docs/licences.md anew
	@$(BIN)/python -m tests.supply_chain.licences

format: $(READY) ## Put the code into its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

translations: $(READY) ## Compile the pages' translations (locale/*/LC_MESSAGES/django.po)
	$(BIN)/pybabel -q compile -d notifications/locale -D django
	$(BIN)/pybabel -q compile -d orders_site/locale -D django

clean: ## Remove what the embedded parts keep (.local); the virtual environment stays
	rm -rf .local
