# make run: a working proxy.  make test: lint, unit and integration, from nothing.  make docs: the site of the documents.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Arguments of trial: make unit TRIAL=-j4; one process, with each test as it ends: make unit TRIAL=
TRIAL ?= -j2

# Each package of tests but tests/integration, and each module beside them.
packages = $(filter-out tests/integration,$(patsubst %/__init__.py,%,$(wildcard tests/*/__init__.py)))
modules = $(patsubst %.py,%,$(wildcard tests/test_*.py))

# Modules with tests of properties, which have a fifth of their examples where somebody waits.
properties = $(subst /,.,$(basename $(shell grep -rlE --include='test_*.py' '^from hypothesis |\bimport .*\bexamples\b' $(packages) $(addsuffix .py,$(modules)) | sort)))

.PHONY: run test lint unit integration properties docs reference boards dist sbom wheels clean

run: $(VENV)/run.stamp
	$(BIN)/llmproxy quickstart $(ARGS)

test: lint unit integration

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy llmproxy

# In memory: no servers, no sockets to speak of.
unit: $(VENV)/test.stamp
	$(BIN)/python -m twisted.trial $(TRIAL) $(subst /,.,$(packages) $(modules))

# Starts proxies, databases, Redis and nginx itself, and skips what is not installed.
integration: $(VENV)/test.stamp
	$(BIN)/python -m twisted.trial tests.integration

# Properties again, with all of their examples.
properties: $(VENV)/test.stamp
	LLMPROXY_EXAMPLES=$${LLMPROXY_EXAMPLES:-1} $(BIN)/python -m twisted.trial $(TRIAL) $(properties)

# The site of the documents, with the API's own pages in it. Nothing is fetched, and a warning is an error.
docs: $(VENV)/docs.stamp
	$(BIN)/python -m sphinx -W --keep-going --quiet -j auto -c docs . build/site
	PYTHONPATH=. $(BIN)/pydoctor --quiet -W --system-class tests.documents.api.Package --use-hardlinks --project-url ../README.html --html-output build/site/docs/api
	@echo "the site is at build/site/index.html"

# What is made of the code in pages of docs/ is made anew; a test holds that nothing is left to do.
reference: $(VENV)/test.stamp
	$(BIN)/python -m tests.documents

# The boards of Grafana in deploy/grafana, made anew from their descriptions; a test holds them likewise.
boards: $(VENV)/test.stamp
	$(BIN)/python -m tests.boards

# An sdist and a wheel in dist/, the same bytes wherever they are made, and checked as PyPI would.
dist: $(VENV)/dist.stamp
	$(BIN)/python tools/dist.py dist
	$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz
	$(BIN)/check-wheel-contents dist/*.whl

# What the wheel and the image's extras consist of, beside them: CycloneDX.
sbom: dist
	$(BIN)/python tools/sbom.py dist

# The pure wheel and compiled ones, into dist; for some Pythons only: make wheels PYTHONS="python3.12 python3.13".
wheels:
	@PYTHONS="$(PYTHONS)" compiling/wheels

# An environment that was only half made (no pip in it) is made again; one that works is kept.
$(VENV)/venv.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "llmproxy needs Python 3.10 or newer; say which with: make PYTHON=python3.11" >&2; exit 1; }
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		echo "making a virtual environment in $(VENV)"; \
		again=; test ! -f $(VENV)/pyvenv.cfg || again=--clear; \
		$(PYTHON) -m venv $$again $(VENV) || { echo "$(PYTHON) could not make one: on Debian and Ubuntu, apt install python3-venv; then say make again" >&2; exit 1; }; \
	fi
	@touch $@

$(VENV)/run.stamp: $(VENV)/venv.stamp setup.cfg pyproject.toml
	@echo "installing llmproxy and what it stands on into $(VENV): once, for a minute or so"
	@$(BIN)/python -m pip install --quiet --editable . --config-settings editable_mode=compat || { echo "the installation failed; say make again once the reason is gone" >&2; exit 1; }
	@touch $@

$(VENV)/test.stamp: $(VENV)/venv.stamp setup.cfg pyproject.toml
	@echo "installing llmproxy and its tests into $(VENV): once, for a minute or so"
	@$(BIN)/python -m pip install --quiet --editable '.[test,lint,docs]' --config-settings editable_mode=compat || { echo "the installation failed; say make again once the reason is gone" >&2; exit 1; }
	@touch $@

$(VENV)/docs.stamp: $(VENV)/venv.stamp setup.cfg pyproject.toml
	@echo "installing llmproxy and what makes its documents into $(VENV): once, for a minute or so"
	@$(BIN)/python -m pip install --quiet --editable '.[docs]' --config-settings editable_mode=compat || { echo "the installation failed; say make again once the reason is gone" >&2; exit 1; }
	@touch $@

$(VENV)/dist.stamp: $(VENV)/venv.stamp setup.cfg pyproject.toml
	@echo "installing what makes and checks packages into $(VENV): once, for a minute or so"
	@$(BIN)/python -m pip install --quiet --editable '.[dist]' --config-settings editable_mode=compat || { echo "the installation failed; say make again once the reason is gone" >&2; exit 1; }
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info _trial_temp*
