# The one door. `make run` and `make test` set up everything they need in .venv; nothing else on the machine is touched.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: run demo test bench serve lint docs model lock clean
.DEFAULT_GOAL := run

# -- setting up: exact versions, checked against their hashes ------------------------------------------------------------------
$(BIN)/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("tracker needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@echo "Setting up $(VENV) (once, about a minute) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/.ready-dev: $(BIN)/.ready requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

# -- using -----------------------------------------------------------------------------------------------------------------------
run: $(BIN)/.ready   ## the main job: poll, tag, group, watch, digest; then how to browse
	@$(BIN)/tracker run --else-demo

demo: $(BIN)/.ready  ## a sample week, offline
	@$(BIN)/tracker demo

serve: $(BIN)/.ready ## open the database in the browser
	@$(BIN)/tracker serve

# -- working on it ---------------------------------------------------------------------------------------------------------------
test: $(BIN)/.ready-dev ## all tests
	@$(BIN)/python -m pytest -q $(ARGS)

lint: $(BIN)/.ready-dev ## style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(BIN)/.ready-dev ## what it costs: the benchmarks, one after the other (minutes)
	@for each in startup tagging grouping trying naming browse memory polling articles; do echo "== $$each"; $(BIN)/python -m benchmarks.$$each || exit 1; done

docs: $(BIN)/.ready-dev ## renew the pages that come from the code
	@$(BIN)/python docs/build.py && $(BIN)/python docs/model.py && $(BIN)/python docs/faults.py

model: $(BIN)/.ready ## train the shipped model: make model LABELS="train.csv news.csv" TEXTS=corpus/ (see docs/model.md)
	@test -n "$(LABELS)" -a -n "$(TEXTS)" || { echo 'make model needs LABELS="FILE …" and TEXTS=FOLDER (see docs/model.md)'; exit 2; }
	@$(BIN)/python -m tracker.train $(foreach file,$(LABELS),--labels "$(file)") --also tracker/defaults/labels.csv --texts "$(TEXTS)" --out tracker/defaults/model

COMPILE := $(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --no-header --no-annotate \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options
PROJECT := import tomllib; p = tomllib.load(open("pyproject.toml", "rb"));
lock: $(BIN)/.ready-dev ## renew requirements*.txt from pyproject.toml (add UPGRADE=--upgrade for the newest versions)
	@$(BIN)/python -m pip install --quiet pip-tools
	@$(BIN)/python -c '$(PROJECT) print(*p["project"]["dependencies"], *p["build-system"]["requires"], "editables", sep="\n")' | $(COMPILE) $(UPGRADE) -o requirements.txt -
	@$(BIN)/python -c '$(PROJECT) print("-c $(CURDIR)/requirements.txt", *p["dependency-groups"]["dev"], sep="\n")' | $(COMPILE) $(UPGRADE) -o requirements-dev.txt -

clean:
	rm -rf $(VENV)
