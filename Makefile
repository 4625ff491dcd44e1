# `make demo` shows everything on the embedded base; `make test` is what CI runs.
# The first one of either makes .venv and installs the tested versions (constraints.txt).

VENV   := .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
# The CPU wheels of torch: a fraction of the CUDA ones. For a GPU, for instance:
#   make TORCH_INDEX=https://download.pytorch.org/whl/cu130 test
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH  := $(shell grep '^torch==' constraints.txt)
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-arm test-android accuracy check format clean

demo: $(INSTALLED)
	$(BIN)/edgetune demo

test: check
	$(BIN)/pytest -n 2

# On emulated 64-bit ARM; fetches some packages into ~/.cache/edgetune the first time.
test-arm: $(INSTALLED)
	$(BIN)/pytest -m arm tests/arm

# The Kotlin runtime, built and held to this one; on a bundle of one's own: make test-android BUNDLE=DIR
test-android: $(INSTALLED)
	@$(BIN)/python android_demo/check.py $(BUNDLE)

# The README's table of accuracy, anew, over 10, 50, 500 and all records a tool (and the passes over
# them): on SmolLM2 a night on two cores with AMX; it goes on where it was stopped. On the embedded base
# 40 minutes: make accuracy RECIPE=configs/nano/snips.yaml RECORDS=all:2.4. The data is not part of the
# repo; make it by `edgetune data import snips DIR`.
SNIPS ?= ../shared/data/snips
RECIPE ?= configs/smollm2-135m/snips.yaml
RECORDS ?= 10:25 50:12 500:4 all:3
accuracy: $(INSTALLED)
	$(BIN)/python benchmarks/accuracy.py $(RECIPE) --data $(SNIPS)/dev.jsonl \
	  --work runs/accuracy/$(notdir $(patsubst %/,%,$(dir $(RECIPE)))) --records $(RECORDS) --into README.md

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "edgetune needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Installing into $(VENV) (once, a few minutes) ..."
	$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --retries 1 --timeout 15 --index-url $(TORCH_INDEX) $(TORCH) 2>/dev/null \
	  || { echo "$(TORCH_INDEX) cannot be reached: taking $(TORCH) from pip's own index"; \
	       $(BIN)/pip install -q $(TORCH); }
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info
