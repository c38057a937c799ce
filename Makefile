# `make demo` and `make test` are all a new user needs; `make check` is what CI runs.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test slow-tests torture check lint types layers migrations-check startup models bench bench-cluster \
  bench-docs screenshots format clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 26

.venv/.created:
	$(PYTHON) -m venv .venv
	@touch $@

# torch goes first and alone: asked for by its exact version, pip takes a CPU build where one is at hand.
.venv/.installed: .venv/.created pyproject.toml constraints.txt
	@echo "Installing into .venv: some minutes and 2 GB."
	$(PIP) "$$(grep '^torch==' constraints.txt)"
	$(PIP) --editable '.[service,train]'
	@touch $@

.venv/.tools: .venv/.installed
	$(PIP) --editable '.[test,check]'
	@touch $@

demo: .venv/.installed  ## install, run the main job on the shipped example and show the clusters
	@mkdir -p demo
	@cd demo && ../$(BIN)/dedup run ../examples/questions.csv
	@cd demo && ../$(BIN)/dedup clusters --limit 8
	@echo
	@echo "The report:    $$(ls -t demo/reports/*.html | head -n 1) (open it in a browser)"
	@echo "The database:  demo/dedup.db (SQLite)"
	@echo
	@echo "Try next, in the folder demo (the command is $(abspath $(BIN))/dedup):"
	@echo "  dedup query 'how can i undo my last git commit?'"
	@echo "  dedup export clusters clusters.csv"
	@echo "  dedup run YOUR-DUMP.csv --source yours"

# A worker that dies ends the run: xdist would wait for its tests without end.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --max-worker-restart 0 -q

test: .venv/.tools  ## install what the tests need and run them, but for the slow ones
	$(PYTEST) -m "not slow"

slow-tests: .venv/.tools  ## kills, full disks, clusters of processes, and the documents, executed
	$(PYTEST) -m slow

KILLS ?= 34
SEED ?= 641

torture: .venv/.tools  ## kill jobs at random moments, KILLS times each job on each database, drawn from SEED
	TORTURE_KILLS=$(KILLS) TORTURE_SEED=$(SEED) OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/torture -q --log-cli-level=INFO

check: test slow-tests lint types layers migrations-check startup  ## all that CI checks

lint: .venv/.tools  ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/.tools  ## put the code in its format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

types: .venv/.tools  ## mypy, strict
	$(BIN)/mypy

layers: .venv/.tools  ## no room imports from one above it
	$(BIN)/lint-imports

migrations-check: .venv/.tools  ## the models and the migrations say the same, on both databases
	$(BIN)/python -m pytest -q tests/store/test_schema.py -k "agree or drift"

startup: .venv/.tools  ## the command starts in under 0.3 s, or three times what NumPy takes
	$(BIN)/python benchmarks/startup.py

PAIRS ?= train.tsv
QUESTIONS ?= questions.parquet

models: .venv/.tools  ## train the shipped encoders and classifiers again (training/README.md): make models PAIRS=… QUESTIONS=…
	$(BIN)/python training/build.py $(PAIRS) $(QUESTIONS) build/models

DUMP ?= examples/questions.csv
SIZES ?= 2500 5000 10000
GROW ?= 0
LIMIT ?= 900
LABELLED ?=
ONLY ?=
FRESH ?=
BENCH := build/bench

# The peers' own environment has only what this one has not: the rest is read from it through a .pth file.
$(BENCH)/.venv/.installed: .venv/.tools benchmarks/constraints.txt
	$(BIN)/python -m venv $(BENCH)/.venv
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	  > "$$($(BENCH)/.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth"
	$(BENCH)/.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  --constraint benchmarks/constraints.txt semhash datasketch wordllama
	@touch $@

bench: $(BENCH)/.venv/.installed  ## measure us and the peers, on the example or DUMP=… SIZES=… (benchmarks/README.md)
	$(BIN)/python -m benchmarks.bench --dump $(DUMP) --sizes $(SIZES) --grow $(GROW) --limit $(LIMIT) \
	  --peers $(BENCH)/.venv/bin/python --folder $(BENCH) \
	  $(if $(LABELLED),--labelled $(LABELLED)) $(if $(ONLY),--only $(ONLY)) $(if $(FRESH),--fresh)
	$(BIN)/python -m benchmarks.chart $(BENCH)/results.json $(BENCH)/chart.svg

ROWS ?= 5000
WORKERS ?= 2

bench-cluster: .venv/.tools  ## the same run by threads, processes and Ray: digests, seconds, memory: make bench-cluster DUMP=… ROWS=641038
	$(BIN)/python -m benchmarks.bench_cluster $(DUMP) --rows $(ROWS) --workers $(WORKERS)

bench-docs:  ## write the tables and the picture of docs/performance.md from what `make bench` measured last
	$(BIN)/python -m benchmarks.tables $(BENCH)/results.json docs/performance.md

screenshots: .venv/.tools  ## take the pictures of docs/service.md and docs/review.md, in a real Chromium
	@mkdir -p docs/images
	DEDUP_SCREENSHOTS=docs/images OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q tests/service/pages/test_screenshots.py

clean:  ## remove what make made
	rm -rf .venv demo build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
