# make demo: train and evaluate on the embedded task, on a machine with nothing but Python 3.11.
PYTHON ?= $(shell for name in python3.11 python3.12 python3; do \
	command -v $$name >/dev/null && $$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' \
	&& { command -v $$name; break; }; done)
VENV := .venv
RUN := $(VENV)/bin/python
# Programs of this checkout compile once, whatever started them.
export JAX_COMPILATION_CACHE_DIR := $(CURDIR)/.cache/jax
PENDULUM := --config-path=configs/pendulum --config-name=base seed=0

.PHONY: demo demo-loco gpu-check test test-slow coverage lint format clean

demo: $(VENV)/.installed
	$(RUN) offline_world/cont_ensemble.py $(subst configs,../configs,$(PENDULUM))
	$(RUN) offline_cont.py $(PENDULUM)

# Real locomotion: data, world model, agent, evaluation with a film. docs/locomotion.md.
LOCO := --config-name=base dataset_name=halfcheetah-own-random-v2 seed=0
LOCO_RUN := runs/offline_cont/halfcheetah-own-random-v2/default/seed0
stage = @began=$$(date +%s); $(RUN) $(2) && echo "$(1): $$(( $$(date +%s) - began )) s"

demo-loco: $(VENV)/.installed-video
	$(call stage,data,make_dataset.py halfcheetah-own-random-v2 --rows 200000)
	$(call stage,world model,offline_world/cont_ensemble.py --config-path=../configs/loco_small $(LOCO))
	$(call stage,agent,offline_cont.py --config-path=configs/loco_small $(LOCO))
	$(call stage,evaluation,evaluate.py $(LOCO_RUN) --episodes 20 --video $(LOCO_RUN)/film.mp4)
	@echo "curves $(LOCO_RUN)/plots/learning.png"

# XLA's optimiser and fusion emitters take most of a test's time and change no meaning: `make test-slow`,
# which repeats the comparisons with recorded numbers, has them. The longest files come first in the
# alphabet.
test: export XLA_FLAGS += --xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false
# OmegaConf tells its errors otherwise to what it takes for a debugger, as coverage looks like.
test: export OC_CAUSE := 0
test: lint
	$(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(COUNTED)

# `make test` that counts the lines which tests reach in their own processes (not in the programs
# that they start).
coverage:
	$(MAKE) test COUNTED=--cov

test-slow: lint gpu-check
	$(RUN) -m pytest -m 'slow or golden' -n 2 --dist loadfile --no-loadscope-reorder

# XLA's compiler for CUDA, which benchmarks/gpu_programs.py counts launches with; needs no card.
GPU_CHECK := .cache/gpu-check
gpu-check: $(GPU_CHECK)/.installed

$(GPU_CHECK)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "installing into $(GPU_CHECK) (250 MB)"
	@$(RUN) -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['gpu-check'], sep='\n')" \
		| $(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(GPU_CHECK) -r /dev/stdin
	@touch $@

lint: $(VENV)/.installed-test
	$(VENV)/bin/ruff check --quiet .
	$(VENV)/bin/ruff format --check --quiet .
	$(VENV)/bin/pyright --pythonpath $(RUN)

format: $(VENV)/.installed-test
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# Stamps: a second call installs nothing.
$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "installing into $(VENV) (about 1.5 GB; minutes on a first call)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/python
	@echo "installing into $(VENV), with the tests' tools (about 1.5 GB; minutes on a first call)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-video: $(VENV)/.installed
	@$(RUN) -m pip install --quiet --disable-pip-version-check -e '.[video]'
	@touch $@

$(VENV)/bin/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "no Python 3.11 or 3.12 was found: install one (Debian 12: apt-get install python3 python3-venv) or give make PYTHON=/path/to/python3.11" >&2; \
		exit 1; fi
	@if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$(PYTHON) cannot make virtual environments: apt-get install python3-venv" >&2; \
		exit 1; fi
	@$(PYTHON) -m venv $(VENV)

clean:
	rm -rf .pytest_cache .ruff_cache .cache *.egg-info build
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
