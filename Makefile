# make run: a working proxy.  make test: the whole suite, from nothing.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: run test lint unit clean

run: $(VENV)/run.stamp
	$(BIN)/llmproxy quickstart $(ARGS)

test: lint unit

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy llmproxy

unit: $(VENV)/test.stamp
	$(BIN)/python -m twisted.trial tests

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "llmproxy needs Python 3.10 or newer; say which with: make PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: $(VENV)/bin/python setup.cfg pyproject.toml
	$(BIN)/pip install --quiet --editable . --config-settings editable_mode=compat
	@touch $@

$(VENV)/test.stamp: $(VENV)/bin/python setup.cfg pyproject.toml
	$(BIN)/pip install --quiet --editable '.[test,lint]' --config-settings editable_mode=compat
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info _trial_temp*
