# The commands of mmseam. `make` alone lists them.
PYTHON ?= python3
# An environment for each interpreter that is named: `make test PYTHON=python3.12` makes .venv-python3.12
VENV ?= .venv$(patsubst %,-%,$(filter-out python3 python,$(notdir $(PYTHON))))
BIN := $(VENV)/bin
# With the hosts of OneDL, which must not be installed beside the others
ONEDL_VENV ?= $(VENV)-onedl
EXTRAS ?= deploy,tests,lint,docs
CONSTRAINTS ?= constraints.txt
TEST_TOOLS := pytest pytest-cov pytest-xdist hypothesis
# Test processes share the cores; each of them computes on one.
WORKERS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile
FUZZ_SECONDS ?= 600
CHECK_PYTHON = $(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "mmseam needs Python 3.10 or newer: make PYTHON=python3.11 …")'

.DEFAULT_GOAL := help
.PHONY: help install install-onedl quickstart test test-onedl matrix support-table coverage fuzz test-mim test-slow lint docs clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /make \1\t/' | expand -t 20

install: $(VENV)/.installed ## Create .venv with the tested versions and mmseam in it

$(VENV)/.installed: setup.py requirements.txt constraints.txt pyproject.toml
	$(CHECK_PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c $(CONSTRAINTS) 'setuptools<82' wheel torch
	$(BIN)/python -m pip install --quiet --no-build-isolation -c $(CONSTRAINTS) -e '.[$(EXTRAS)]'
	touch $@

install-onedl: $(ONEDL_VENV)/.installed ## Create .venv-onedl with the hosts of OneDL, and mmseam in it

$(ONEDL_VENV)/.installed: setup.py requirements-onedl.txt constraints-onedl.txt
	$(CHECK_PYTHON)
	$(PYTHON) -m venv $(ONEDL_VENV)
	$(ONEDL_VENV)/bin/python -m pip install --quiet -c constraints-onedl.txt setuptools wheel torch
	$(ONEDL_VENV)/bin/python -m pip install --quiet -c constraints-onedl.txt -r requirements-onedl.txt $(TEST_TOOLS)
	$(ONEDL_VENV)/bin/python -m pip install --quiet --no-build-isolation --no-deps -e .
	touch $@

quickstart: install ## Train YOLO11n-MultiSEAM on drawn, partly covered faces in some minutes on a CPU
	$(BIN)/python tools/misc/quickstart.py

test: install ## Run the tests (real data too, where MMSEAM_TEST_DATA names its folder)
	$(PYTEST) tests

test-onedl: install-onedl ## Run the tests that reach the hosts with those of OneDL
	OMP_NUM_THREADS=1 $(ONEDL_VENV)/bin/python -m pytest tests/test_compat tests/test_models tests/test_configs.py tests/test_inheritance.py

matrix: install ## Run a part of the tests on Python 3.10 to 3.13, both sets of hosts, the lowest and the newest PyTorch
	$(BIN)/python tests/matrix/run_matrix.py

support-table: install ## Write the results of `make matrix` into the READMEs
	$(BIN)/python tests/matrix/support_table.py

coverage: install ## Run the tests and print how many lines of each module they reach
	$(PYTEST) --cov=mmseam --cov-report=term:skip-covered tests

fuzz: install ## Feed damaged and hostile files to every reader for FUZZ_SECONDS, ten minutes
	$(BIN)/python tests/fuzz/runner.py --seconds $(FUZZ_SECONDS) --seed $$(date +%s)

test-mim: install ## Install wheels into throw-away environments and run the real mim there
	$(BIN)/python -m pytest -m mim tests/test_mim

test-slow: install ## Train for real: the quickstart, a fine-tuning, a training that is killed
	$(BIN)/python -m pytest -m slow tests

lint: install ## Check style, spelling, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/lint-imports
	$(BIN)/mypy

docs: install ## Build the documentation site into site/; a broken link or name is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

clean: ## Remove the environment, builds and results
	rm -rf $(VENV) $(ONEDL_VENV) .venv-matrix build dist site *.egg-info mmseam/.mim results work_dirs fuzz_failures .coverage
