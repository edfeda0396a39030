# The whole set-up. `make lab` needs Python 3.11 or newer and nothing else; everything goes into $(VENV).
#
# Without make: the README has the same in plain pip, uv and conda lines, and for Windows.

VENV ?= .venv
LAB_ARGS ?=
TEST_ARGS ?=

ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
RUN := $(BIN)/python

FIRST := /lab/tree/notebooks/00_start_here.ipynb
AS_ROOT := $(if $(filter 0,$(shell id -u 2>/dev/null)),--allow-root)

# pip checks, once in a while, for a newer pip: not asked for here.
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# What the environment was last installed from. Newer than both files, or it is installed again.
COURSE := $(VENV)/.installed-course
TEST := $(VENV)/.installed-test
SOURCES := pyproject.toml constraints.txt jupyter/overrides.json

.DEFAULT_GOAL := help
.PHONY: help lab test bench lint lock clean

help:  ## this list
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-8s %s\n", $$1, $$2 }'
	@echo "Variables: PYTHON=python3.12 to choose one, VENV=$(VENV), LAB_ARGS=\"--no-browser\", TEST_ARGS=\"-k tokens\""

lab: $(COURSE)  ## install what is missing, start the lab server, open JupyterLab on the first notebook
	@$(RUN) -c "from labkit import daemon, settings; print('Lab server at', daemon.ensure_running(settings.load()).url)" \
	  2>/dev/null || echo "The lab server did not start here; the first notebook tries again and says why."
	$(RUN) -m jupyter lab --ServerApp.root_dir=. --LabApp.default_url=$(FIRST) $(AS_ROOT) $(LAB_ARGS)

test: $(TEST)  ## install what is missing and run every test
	$(RUN) -m pytest -n 2 --dist loadfile $(TEST_ARGS)

bench: $(TEST)  ## measure what the README claims about speed
	$(RUN) -m bench $(BENCH_ARGS)

lint: $(TEST)  ## style and types
	$(RUN) -m ruff check .
	$(RUN) -m mypy

lock:  ## write constraints.txt anew; needs uv, and a look at the difference
	uv pip compile pyproject.toml --extra course --extra test --universal --python-version 3.11 \
	  --no-header --no-annotate --upgrade --quiet -o constraints.txt

clean:  ## stop the lab server; remove the environment and every cache
	@if [ -x $(RUN) ]; then $(RUN) -m labkit stop || true; fi
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -type d -prune -exec rm -rf {} +

$(COURSE): $(SOURCES) | $(RUN)
	@echo "Installing the course into $(VENV): a minute or two the first time"
	$(RUN) -m pip install --quiet -c constraints.txt -e '.[course]'
	@touch $@

$(TEST): $(SOURCES) | $(RUN)
	@echo "Installing the course and the tests into $(VENV): a minute or two the first time"
	$(RUN) -m pip install --quiet -c constraints.txt -e '.[course,test]'
	@touch $@ $(COURSE)

$(RUN):
	@sh scripts/make-venv $(VENV)
