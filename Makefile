# Two commands do all the set-up: `make demo` and `make test`.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
CORES  ?= all
BIN    := .venv/bin
# A lock that the kernel releases when the run is killed; Snakemake's own would have to be removed by hand.
LOCKED := $(if $(shell command -v flock),flock --no-fork -n -E 75 .venv/run.lock,)
BUSY   := Another run of this project holds .venv/run.lock. Wait for it to end, or stop it, then type the same again.
RUN     = $(LOCKED) $(BIN)/snakemake $(if $(LOCKED),--nolock,) --cores $(CORES) $(1) \
          || { code=$$?; [ $$code -ne 75 ] || echo "$(BUSY)" >&2; exit $$code; }

# Pins of envs/lock.txt with the hashes of their files, for every platform.
HASHED := .venv/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --constraint envs/lock.txt \
          --generate-hashes --no-annotate --custom-compile-command 'make lock'

.PHONY: demo test fuzz lint reproduce docs clean lock

demo: .venv/installed                ## the main job on the embedded data set
	@$(call RUN,--configfile=config/demo.yaml all)
	@$(BIN)/asdflow leaderboard --limit 12
	@echo "Report: results/report.html"

test: .venv/tested                   ## the whole suite
	@$(BIN)/pytest -n $(if $(filter all,$(CORES)),auto,$(CORES)) --dist loadgroup

fuzz: .venv/tested                   ## mutated inputs, ten minutes a parser
	@ASDFLOW_FUZZ_SECONDS=$${ASDFLOW_FUZZ_SECONDS:-600} $(BIN)/pytest tests/fuzz -n $(if $(filter all,$(CORES)),auto,$(CORES))

lint: .venv/tested                   ## style of Python, rules and workflow
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/snakefmt --check Snakefile rules
	@$(BIN)/snakemake --lint --configfile=config/demo.yaml

reproduce: .venv/installed           ## the demo twice, on 1 and on all cores: same bytes, same numbers
	@$(BIN)/asdflow reproduce --configfile=config/demo.yaml

docs: .venv/installed                ## schema and option pages, made from the code
	@$(BIN)/asdflow docs

docs/images/dag.svg: .venv/installed ## picture of the rules for the README; needs graphviz
	@$(BIN)/snakemake --rulegraph --configfile=config/demo.yaml all 2>/dev/null | tred | dot -Tsvg \
	  -Grankdir=LR -Gnodesep=0.2 -Granksep=0.35 -Gbgcolor=white -Nfontname=sans-serif -Nfontsize=11 \
	  -Npenwidth=1.2 -Epenwidth=1 >$@

clean:                               ## forget every result, keep the environment
	rm -rf results .snakemake

.venv/installed: pyproject.toml envs/hashes.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "asdflow needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes --requirement envs/hashes.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/tested: .venv/installed envs/hashes-test.txt
	$(BIN)/pip install --quiet --require-hashes --requirement envs/hashes-test.txt
	@touch $@

lock:                                ## hashes of every package, made anew from pyproject.toml and envs/lock.txt
	$(PYTHON) -m venv .venv/lock && .venv/lock/bin/pip install --quiet uv==0.13.9
	$(HASHED) pyproject.toml --output-file envs/hashes.txt
	$(HASHED) pyproject.toml --extra test --output-file envs/hashes-test.txt
