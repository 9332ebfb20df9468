# One verb per thing. All set-up happens by itself and once: .venv is made from the lock files.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first Python on the path that is new enough; `make test PYTHON=python3.13` takes another.
ifndef PYTHON
PYTHON := $(shell for one in python3 python3.13 python3.12 python3.11; do \
	"$$one" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$one"; break; }; done)
endif
VERSION := $(shell "$(PYTHON)" -c 'import sys; sys.version_info >= (3, 11) and print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install

# Percent of lines and branches that must be tested: of floor 1, which only judges, and of all the rest.
COVERAGE_FLOOR_1 ?= 100
COVERAGE_REST ?= 95
comma := ,
empty :=
FLOOR_1 := $(subst $(empty) $(empty),$(comma),$(foreach room,alert call escalation intervals route schedule sms,bridge/$(room).py bridge/$(room)/*))

CODE := bridge tests deploy docs/screenshots $(if $(wildcard benchmarks/*.py),benchmarks)
ARGS ?=

.PHONY: help demo test check bench dashboards pictures image lock clean servers python

help:  ## what there is
	@awk -F ':.*  ## ' '/^[a-z]+:.*  ## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/run.stamp  ## the whole story on your machine, no call is placed (ONCE=1: leave at the end)
	$(BIN)/python -m bridge demo $(if $(ONCE),--once)

test: $(VENV)/dev.stamp servers  ## all tests, with branch coverage (ARGS='-k word' for some of them)
ifneq ($(ARGS),)
	$(BIN)/python -m pytest --cov --cov-report= $(ARGS)
else
	@rm -f .coverage .coverage.*
	@.ci/tests $(BIN)/python
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --include='$(FLOOR_1)' --fail-under=$(COVERAGE_FLOOR_1)
	@$(BIN)/coverage report --omit='$(FLOOR_1)' --fail-under=$(COVERAGE_REST)
endif

check: $(VENV)/dev.stamp  ## style, types, and which room may know which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports

bench: $(VENV)/dev.stamp  ## what it takes, each as a ratio within one run
	@for one in intake storm rest restart; do echo "$$one"; $(BIN)/python -m benchmarks.$$one || exit 1; done

dashboards: $(VENV)/dev.stamp  ## write the dashboards and docs/metrics.md anew from their sources
	$(BIN)/python -m deploy.grafana.make
	$(BIN)/python -m deploy.prometheus.reference

pictures: $(VENV)/dev.stamp servers  ## the page's pictures anew, by the real program in a real browser
	$(BIN)/python -W ignore -m docs.screenshots.make

image:  ## the container image callbridge:latest
	docker build --tag callbridge:latest \
		--build-arg REVISION="$$(git rev-parse HEAD)" --build-arg BRANCH="$$(git rev-parse --abbrev-ref HEAD)" .

# Resolved on the oldest Python that we run on: what only that one needs must be in the lock too.
COMPILE := pip-compile --quiet --allow-unsafe --generate-hashes --no-strip-extras --no-header \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links
lock:  ## newest versions that pyproject.toml allows, with hashes (needs Python 3.11)
	@[ "$(VERSION)" = 3.11 ] || { echo "make lock needs Python 3.11: make lock PYTHON=python3.11" >&2; exit 1; }
	"$(PYTHON)" -m venv --clear $(VENV)/lock
	$(VENV)/lock/bin/pip --disable-pip-version-check --quiet install 'pip-tools>=7.5'
	$(VENV)/lock/bin/$(COMPILE) --upgrade --output-file requirements.lock pyproject.toml
	$(VENV)/lock/bin/$(COMPILE) --upgrade --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	$(VENV)/lock/bin/$(COMPILE) --upgrade --only-build-deps --build-deps-for wheel --constraint requirements-dev.lock --output-file requirements-build.lock pyproject.toml

clean:  ## remove all that was made here
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Another Python than last time: begin again.
$(VENV)/$(VERSION).stamp: | python
	@echo "Making $(VENV) with Python $(VERSION)"
	@"$(PYTHON)" -m venv --clear $(VENV)
	@touch $@

$(VENV)/run.stamp: requirements.lock | $(VENV)/$(VERSION).stamp
	@echo "Installing requirements.lock"
	@$(PIP) --require-hashes -r requirements.lock
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock pyproject.toml | $(VENV)/$(VERSION).stamp
	@echo "Installing requirements-dev.lock"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

python:
	@[ -n "$(VERSION)" ] || { echo "callbridge needs Python 3.11 or newer$(if $(PYTHON),$(comma) and $(PYTHON) is none); say which: make <verb> PYTHON=/path/to/python3.11" >&2; exit 1; }

servers:
	@.ci/servers
	@.ci/helm $(BIN)
