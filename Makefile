# Every target prepares its own virtual environment, once; `make demo` and `make test` need Python ≥ 3.11 and make, nothing else.
# ARGS go to the command behind a target:  make test ARGS="-k redemption"   make demo ARGS=--exit

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
SOURCES := app tests $(wildcard migrations examples benchmarks)

# A user's own pip settings (an index, a proxy, a certificate) are kept, except those that would install elsewhere or refuse.
PIP := env -u PIP_USER -u PIP_TARGET -u PIP_PREFIX -u PIP_ROOT -u PIP_REQUIRE_HASHES -u PYTHONPATH \
	$(BIN)/python -m pip --disable-pip-version-check

.PHONY: help
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make demo          a small province on an embedded PostgreSQL, then the running service
.PHONY: demo
demo: $(RUNTIME)
	@$(BIN)/voucher demo $(ARGS)

## make test          all tests, in a process more than there are processors, four at most; JOBS=0: in this one alone
.PHONY: test
JOBS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((cores > 3 ? 4 : cores + 1)))
test: $(DEV)
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile $(ARGS)

## make check         format, lint, types, floors, then all tests: what must hold before a change lands
.PHONY: check
check: lint test

## make lint          format, lint, types, floors
.PHONY: lint
lint: $(DEV)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

## make format        put the code in shape
.PHONY: format
format: $(DEV)
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

## make bench         redemptions over HTTP beside pgbench, then issuing, verifying, reconciling: half an hour; with ARGS the first alone
.PHONY: bench bench-rules
bench: $(DEV)
	@$(BIN)/python -m benchmarks.redemptions $(ARGS)
	$(if $(ARGS),,@$(BIN)/python -m benchmarks.issuing)
	$(if $(ARGS),,@$(BIN)/python -m benchmarks.verify --rounds 1)
	$(if $(ARGS),,@$(BIN)/python -m benchmarks.reconciliation --rounds 1)

## make bench-rules   how many bills a second the rules judge; figures to compare, none to pass
bench-rules: $(RUNTIME)
	@$(BIN)/python -m benchmarks.rules $(ARGS)

## make bench-reconciliation   all invariants over a million entries beside one plain grouped sum; ARGS=--help
.PHONY: bench-reconciliation
bench-reconciliation: $(RUNTIME)
	@$(BIN)/python -m benchmarks.reconciliation $(ARGS)

## make bench-issuing a sheet of 100,000 rows issued beside openpyxl reading it and a bare COPY; ARGS=--help
.PHONY: bench-issuing
bench-issuing: $(DEV)
	@$(BIN)/python -m benchmarks.issuing $(ARGS)

## make bench-sign-ins what ten thousand sign-in attempts do to whoever else uses the service; ARGS=--help
.PHONY: bench-sign-ins
bench-sign-ins: $(DEV)
	@$(BIN)/python -m benchmarks.sign_ins $(ARGS)

## make bench-verify  how many leaves a second the verifier judges; figures to compare, none to pass
.PHONY: bench-verify
bench-verify: $(RUNTIME)
	@$(BIN)/python -m benchmarks.verify $(ARGS)

## make openapi       write the published contract anew, and the Python client's models from it
.PHONY: openapi
openapi: $(DEV)
	$(BIN)/voucher openapi openapi/openapi.json
	$(BIN)/python -m tests.contract.client_models

## make mutants       plant each known fault in a copy and run the test that must catch it; hours; ARGS="--only NAME"
.PHONY: mutants
mutants: $(DEV)
	@$(BIN)/python -m tests.mutants.run $(ARGS)

## make fuzz          made-up requests to every operation as three roles and nobody; half an hour; ARGS=--help
.PHONY: fuzz
fuzz: $(DEV)
	@$(BIN)/python -m tests.fuzzing.run $(ARGS)

## make sbom          what the service brings along, as CycloneDX JSON; ARGS="--output sbom.cdx.json"
.PHONY: sbom
sbom: $(DEV)
	@$(BIN)/python -m tests.supply.sbom $(ARGS)

## make vulnerabilities  the pinned packages against a recorded database; ARGS="--database all.zip", or --help
.PHONY: vulnerabilities
vulnerabilities: $(DEV)
	@$(BIN)/python -m tests.supply.check $(ARGS)

## make requirements  choose versions anew (ARGS=--upgrade for newer ones); pinned, hashed, without index addresses
UV_COMPILE = env -u UV_FIND_LINKS $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make requirements' $(ARGS)
.PHONY: requirements
requirements: $(DEV)
	$(UV_COMPILE) requirements/runtime.in --output-file requirements/runtime.txt
	$(UV_COMPILE) requirements/dev.in --output-file requirements/dev.txt

## make clean         remove the environment and caches; the demo's data in .voucher/ stays
.PHONY: clean
clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# The first Python that is new enough and can make a virtual environment. (pip comes last: without it the making was interrupted.)
$(BIN)/pip:
	@for python in python3 python3.14 python3.13 python3.12 python3.11; do \
		if $$python -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Preparing $(VENV) with $$($$python --version), once."; \
			exec $$python -m venv --clear $(VENV); \
		fi; \
	done; \
	echo 'No Python 3.11 or newer that can make a virtual environment was found.' >&2; \
	echo 'Install one (on Debian and Ubuntu: python3 and python3-venv) and run make again.' >&2; \
	exit 1

$(RUNTIME): requirements/runtime.txt pyproject.toml | $(BIN)/pip
	@$(PIP) install --require-hashes -r requirements/runtime.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.txt pyproject.toml | $(BIN)/pip
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $(RUNTIME) $@
