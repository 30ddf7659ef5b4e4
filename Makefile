# Python 3.11 or newer with venv and pip, and make, are all that is assumed.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup torch demo demo-film test lint format types layering check docs docs-serve bench bench-start bench-scale bench-write bench-sequences bench-analysis bench-little bench-play attack onnx-tests lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

# The stamp stands for an environment made from these two files; a change to either brings it up to date.
.venv/.attrax: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

setup: .venv/.attrax  ## make .venv with attrax and everything for its development

torch: setup  ## add PyTorch, for the comparisons with it
	$(BIN)/python -m pip install --quiet torch==2.13.0

demo: setup  ## store 100 faces, certify and recall them, and write a page about it
	$(BIN)/attrax demo

demo-film: setup  ## store a film in one hidden layer, recall it from noise, write it as .mp4, .gif and a strip
	$(BIN)/attrax demo-film

test: setup  ## run the tests
	$(BIN)/python -m pytest

lint: setup  ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup  ## mend style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: setup  ## check types
	$(BIN)/basedpyright

layering: setup  ## check that imports go one way
	$(BIN)/python -m pytest tests/test_layering.py

check: lint types layering test  ## all of these

# From nothing all lessons are executed, which takes minutes and needs PyTorch; afterwards those that changed.
LESSONS ?= $(if $(wildcard site),--changed,--all)

# Material warns of MkDocs 2 on every run.
docs: torch  ## execute the lessons, build the site into site/; a warning is an error
	$(BIN)/python docs/_lessons.py $(LESSONS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

docs-serve: setup  ## show the site while you write, at http://127.0.0.1:8000
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --livereload

bench: torch  ## time training and certification beside PyTorch and the dense route
	$(BIN)/python -m benchmarks

bench-start: setup  ## CPU seconds of starting: imports, help, wrong usage, a command the first and the second time
	$(BIN)/python -m benchmarks.bench_start

bench-scale: setup  ## time and memory of storing 100 to 2,000 digits (--full: 60,000); needs ATTRAX_DATA
	$(BIN)/python -m benchmarks.bench_scale $(SCALE)

bench-write: torch  ## time writing beside PyTorch, and what memories recover; needs ATTRAX_DATA
	$(BIN)/python -m benchmarks.bench_write

bench-sequences: torch  ## time films, sounds and texts as limit cycles beside PyTorch; some rows need ATTRAX_DATA
	$(BIN)/python -m benchmarks.bench_sequences

bench-little: setup  ## recall from a part of a picture, and words from pictures; needs ATTRAX_DATA
	$(BIN)/python -m benchmarks.bench_little

bench-play: setup  ## what the playground does in a second, in headless Chromium
	$(BIN)/python -m benchmarks.bench_play

bench-analysis: torch  ## time spectra, radii and basins beside dense and plain routes
	$(BIN)/python -m benchmarks.bench_analysis

attack: setup  ## attack certificates, radii, files and writing for a quarter of an hour; see docs/trust.md
	$(BIN)/python -m attacks

onnx-tests: torch  ## run all node tests of ONNX, write docs/onnx-operators.md, convert all networks of the tests
	cd tests && ../$(BIN)/python -W ignore -m helpers.onnx_nodes
	ATTRAX_ONNX=all $(BIN)/python -m pytest tests/foreign

lock:  ## pin the newest versions of all dependencies anew, in an environment of its own
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --editable '.[dev]'
	.venv-lock/bin/python -m pip freeze --exclude-editable --exclude attrax > constraints.txt
	rm -rf .venv-lock

clean:  ## remove what the targets made
	rm -rf .venv .venv-lock site attrax-demo .pytest_cache .ruff_cache
