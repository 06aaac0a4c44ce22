# Two commands, each doing all its own set-up on a fresh machine: `make bench` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
OUT ?= runs/bundled
FUZZ_SECONDS ?= 1800

.PHONY: bench test test-all hostile fuzz lint audit clean

bench: $(VENV)/installed
	$(BIN)/cnncomm-bench --out $(OUT)

test: $(VENV)/installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

# All that CI leaves out: models of TensorFlow, every command of README and docs on bundled data, to its end (hours), every
# hostile input; and all libraries whose tests are skipped where they are absent.
test-all: $(VENV)/installed-dev $(VENV)/tensorflow/installed
	FRAMEWORKS=all OMP_NUM_THREADS=1 $(VENV)/tensorflow/bin/python -m pytest tests/test_frameworks.py
	DOCS=all HOSTILE=all OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

# Every hostile or broken input, and the table of what held; CI's share of it is in `make test`.
hostile: $(VENV)/installed-test
	HOSTILE=all OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto tests/hostile

# Coverage-guided fuzzing of all that opens a stranger's file, one target after another; its findings are crash-* files.
fuzz: $(VENV)/installed-test
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .[fuzz]
	for target in checkpoint images run_folder entry; do \
		nice -n 19 $(BIN)/python tests/fuzz/fuzz.py $$target -max_total_time=$(FUZZ_SECONDS) || exit 1; done

lint: $(VENV)/installed-dev
	$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/mypy

# Known vulnerabilities of the pins; without the database of advisories, the pins that are older than three years.
# pip-audit needs a newer requests than torchattacks allows, so it has an environment of its own.
audit: $(VENV)/audit/installed
	$(VENV)/audit/bin/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt || \
	    { echo "Pins older than three years:"; grep "# released" constraints.txt; exit 1; }

clean:
	rm -rf $(VENV) build *.egg-info

# The constraints pin what is tested; without them pip may take a newer torch and gigabytes of CUDA with it.
$(VENV)/installed: setup.cfg constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .[test]
	touch $@

# TensorFlow 2.21 needs an older h5py than Sionna, so it has an environment of its own, with that one pin changed.
$(VENV)/tensorflow/installed: setup.cfg constraints.txt
	$(PYTHON) -m venv $(VENV)/tensorflow
	sed "s/^h5py==.*/h5py==3.14.0/" constraints.txt > $(VENV)/tensorflow/constraints.txt
	$(VENV)/tensorflow/bin/python -m pip install --quiet --constraint $(VENV)/tensorflow/constraints.txt \
	    --editable .[foolbox,frameworks,tensorflow] pytest
	touch $@

$(VENV)/audit/installed:
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet "pip-audit>=2.7"
	touch $@

$(VENV)/installed-dev: $(VENV)/installed-test
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .[dev]
	touch $@
