# The project's vocabulary. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Extra options of `make run`, as in: make run ARGS="--source replay --file posts.jsonl"
ARGS ?=

.PHONY: help run test test-unit test-pages test-long test-largest test-backfill backfill lint types audit format clean distclean starter-models locks dashboards screenshot export test-export bench bench-quick bench-gpu chaos outage fuzz fuzz-quick undertone compose-env compose-tls manifests test-compose test-compose-long

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A Triton of your own needs none of ours.
TRITON := $(if $(TRITON_URL),,.local/triton/.stamp)

run: $(VENV)/.run $(TRITON) frontend/dist/index.html ## start everything: dashboard at http://localhost:8000 (ARGS="--help" for options)
	@exec $(BIN)/python -m services.local $(ARGS)

test: $(VENV)/.dev $(VENV)-export/.dev .local/triton/.stamp frontend/dist/index.html ## every test: units, real servers, real models, the whole system in a browser
	cd frontend && $(NPM) test
	$(BIN)/python -m tests.browser
	$(BIN)/python -m pytest --ignore=tests/export --ignore=tests/compose --ignore=tests/backfill -m "not long and not pages and not largest" $(ARGS)
	$(VENV)-export/bin/python -m pytest --confcutdir=tests/export tests/export -m "not long" $(ARGS)

test-unit: $(VENV)/.dev ## the tests that need no server
	$(BIN)/python -m pytest tests/unit $(ARGS)

test-pages: $(VENV)/.dev .local/triton/.stamp frontend/dist/index.html ## every page in a real browser: each flow, phone and desk, light and dark, accessibility, budgets
	$(BIN)/python -m tests.browser
	$(BIN)/python -m pytest tests/e2e -m pages $(ARGS)

test-long: $(VENV)/.dev $(VENV)-export/.dev .local/triton/.stamp frontend/dist/index.html ## tests of minutes: rolling restarts, shutdown with servers away, upgrades under load, tuning
	$(BIN)/python -m pytest --ignore=tests/export --ignore=tests/compose --ignore=tests/backfill -m long $(ARGS)

test-largest: $(VENV)/.dev .local/triton/.stamp ## a hundred thousand posts, by whoever retries blindly and from a file whose import is killed (5 minutes; -s shows figures)
	$(BIN)/python -m pytest tests/integration -m largest -s $(ARGS)

test-export: $(VENV)-export/.dev .local/triton/.stamp ## all tests that need torch: checkpoints, ONNX, verification
	$(VENV)-export/bin/python -m pytest --confcutdir=tests/export tests/export $(ARGS)

test-backfill: $(VENV)-ray/.dev .local/triton/.stamp ## backfills on Ray: what is killed, stopped, or has no Triton
	$(VENV)-ray/bin/python -m pytest tests/backfill $(ARGS)

test-compose: $(VENV)/.dev ## the compose files for real, in containers; without Docker it starts an engine for the while (Debian, as root)
	$(BIN)/python -m tests.compose $(ARGS)

test-compose-long: $(VENV)/.dev ## the same with TLS, the README's commands for operators (backup, restore, new passwords and keys), and images built twice
	$(BIN)/python -m tests.compose -m long $(ARGS)

fuzz: $(VENV)-fuzz/.stamp .local/triton/.stamp ## input that nobody would write, to every decoder and the whole API (ARGS="--minutes 20"; --help)
	$(VENV)-fuzz/bin/python -m tests.fuzz $(ARGS)

fuzz-quick: $(VENV)-fuzz/.stamp .local/triton/.stamp ## the whole API as its OpenAPI document describes it, some requests, the same ones each time
	$(VENV)-fuzz/bin/python -m tests.fuzz --quick

dashboards: $(VENV)/.dev ## write Grafana's dashboards again, from deploy/grafana/*.py
	$(BIN)/python -m deploy.grafana

screenshot: $(VENV)/.dev .local/triton/.stamp frontend/dist/index.html ## draw the README's picture again, with simulated posts
	$(BIN)/python -m tests.browser
	SCREENSHOT=1 $(BIN)/python -m pytest tests/e2e -k picture

# What every measurement stands on.
BENCH := $(VENV)/.dev $(VENV)-export/.bench $(VENV)-ray/.stamp .local/triton/.stamp frontend/dist/index.html

bench: $(BENCH) ## measure everything beside its alternatives and write docs/benchmarks.md (ARGS="--help": one of them)
	$(BIN)/python -m bench $(ARGS)

bench-quick: $(BENCH) ## the same in little, some minutes: whether it works, not how fast it is
	$(BIN)/python -m bench --quick $(ARGS)

bench-gpu: $(BENCH) .local/triton/.gpu-stamp ## the same for an NVIDIA GPU, on a machine that has one (without a network: python3 -m bench.gpu --help)
	$(BIN)/python -m bench gpu $(ARGS)

chaos: $(VENV)/.dev .local/triton/.stamp frontend/dist/index.html ## let everything fail that can, under load, and compare post by post (half an hour; ARGS="--help" for options)
	$(BIN)/python -m tests.chaos $(ARGS)

outage: $(VENV)/.dev .local/triton/.stamp frontend/dist/index.html ## an hour without Triton, and how it is caught up (5 minutes; ARGS="--scale 1": a real hour)
	$(BIN)/python -m tests.chaos.outage $(ARGS)

lint: $(VENV)/.dev frontend/node_modules/.stamp ## ruff and biome, no warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/hadolint $$(git ls-files '*Dockerfile')
	cd frontend && $(NPM) run --silent lint

types: $(VENV)/.dev frontend/node_modules/.stamp ## mypy --strict and tsc
	$(BIN)/mypy
	cd services/triton/backends/onnxruntime && $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml --explicit-package-bases .
	cd frontend && $(NPM) run --silent types

audit: $(VENV)-audit/.stamp ## known faults in our Python and in every locked package, and secrets in any file
	@PATH="$(CURDIR)/$(VENV)-audit/bin:$(CURDIR)/.local/tools/node/bin:$$PATH" .ci/audit

format: $(VENV)/.dev frontend/node_modules/.stamp ## format everything
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	cd frontend && $(NPM) run --silent format

export: $(VENV)-export/.stamp .local/triton/.stamp ## a checkpoint into a served model: make export ARGS="sentiment --model <hub id or folder>"
	@$(VENV)-export/bin/python -m export $(if $(ARGS),$(ARGS),--help)

undertone: $(VENV)/.run ## look after a running system, as its dead letters: make undertone ARGS="dead list"
	@$(BIN)/python -m services.cli $(if $(ARGS),$(ARGS),--help)

backfill: $(VENV)-ray/.stamp ## score archives of posts: make backfill ARGS="posts.jsonl.gz --output scored" (--help; docs/backfill.md)
	@$(VENV)-ray/bin/python -m services.cli backfill $(if $(ARGS),$(ARGS),--help)

compose-env: ## write what docker-compose.cpu.yml and docker-compose.gpu.yml need into .env: generated passwords and keys
	@$(PYTHON) deploy/make_env.py $(ARGS)

manifests: $(VENV)/.dev ## render deploy/kubernetes into .local/manifests, and check it against Kubernetes' schemas and the compose files
	$(BIN)/python -m deploy.kubernetes
	@mkdir -p .local/manifests
	$(BIN)/kubectl kustomize deploy/kubernetes/overlays/cpu --output .local/manifests/cpu.yaml
	$(BIN)/kubectl kustomize deploy/kubernetes/overlays/gpu --output .local/manifests/gpu.yaml
	$(BIN)/kubectl kustomize deploy/kubernetes/example --output .local/manifests/example.yaml
	$(BIN)/python -m pytest tests/unit/deploy/kubernetes $(ARGS)

compose-tls: ## certificates for deploy/compose/tls.yml into ./tls, where they are missing; tells until when they hold
	@$(PYTHON) deploy/make_tls.py $(ARGS)

starter-models: $(VENV)-export/.stamp ## train the starter models again: make starter-models DATA=<folder of *.tsv.gz>
	@test -n "$(DATA)" || { echo 'say where the training text lies: make starter-models DATA=<folder>'; exit 2; }
	$(VENV)-export/bin/python -m export.starter --data $(DATA) $(ARGS)

locks: $(VENV)/.dev ## resolve the exact versions again (needs uv)
	requirements/lock.sh

clean: ## remove what was built (keeps the data in .local)
	rm -rf $(VENV) $(VENV)-export $(VENV)-ray $(VENV)-fuzz $(VENV)-audit frontend/dist frontend/node_modules .mypy_cache .ruff_cache .pytest_cache .local/triton .local/tools
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean ## remove the data, logs and passwords of `make run` as well
	rm -rf .local

# --- what the targets stand on -------------------------------------------------------------------------------------

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Undertone needs Python 3.11 or newer; set PYTHON, as in: make run PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV) || { echo 'Python cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv'; exit 1; }

$(VENV)/.run: requirements/embedded.txt | $(VENV)/bin/python
	@echo 'installing the services (1 minute) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)/.dev: requirements/dev.txt | $(VENV)/bin/python
	@echo 'installing the services and the tools of development (1 minute) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@ $(VENV)/.run

$(VENV)-export/.stamp: requirements/export.txt
	@$(PYTHON) -m venv $(VENV)-export
	@echo 'installing torch and transformers (2 minutes) ...'
	@$(VENV)-export/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)-export/.dev: requirements/export-dev.txt $(VENV)-export/.stamp
	@$(VENV)-export/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)-export/.bench: requirements/bench.txt $(VENV)-export/.stamp
	@echo 'installing what is measured with and against (1 minute) ...'
	@$(VENV)-export/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)-ray/.stamp: requirements/ray.txt
	@$(PYTHON) -m venv $(VENV)-ray
	@echo 'installing Ray (1 minute) ...'
	@$(VENV)-ray/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)-ray/.dev: requirements/ray-dev.txt $(VENV)-ray/.stamp
	@$(VENV)-ray/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)-fuzz/.stamp: requirements/fuzz.txt requirements/dev.txt
	@$(PYTHON) -m venv $(VENV)-fuzz
	@echo 'installing the fuzzers (1 minute) ...'
	@$(VENV)-fuzz/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)-audit/.stamp: requirements/audit.txt
	@$(PYTHON) -m venv $(VENV)-audit
	@echo 'installing what looks for known faults (1 minute) ...'
	@$(VENV)-audit/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.local/triton/.stamp: requirements/triton.txt services/local/triton_env.py | $(VENV)/.run
	@$(BIN)/python -m services.local.triton_env --dir .local/triton/env
	@touch $@

.local/triton/.gpu-stamp: requirements/triton-gpu.txt services/local/triton_env.py | $(VENV)/.run
	@$(BIN)/python -m services.local.triton_env --gpu
	@touch $@

# Node 20 or newer from the machine, else from a wheel.
NODE_OK := $(shell command -v npm >/dev/null 2>&1 && node -e 'process.exit(+process.versions.node.split(".")[0] >= 20 ? 0 : 1)' >/dev/null 2>&1 && echo yes)
ifeq ($(NODE_OK),yes)
NPM := npm
NODE_TOOLS :=
else
NPM := env PATH="$(CURDIR)/.local/tools/node/bin:$$PATH" npm
NODE_TOOLS := .local/tools/node/.stamp
endif

.local/tools/node/.stamp: requirements/node.txt
	@echo 'installing Node (1 minute) ...'
	@$(PYTHON) -m venv .local/tools/node
	@.local/tools/node/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

audit: $(NODE_TOOLS)

frontend/node_modules/.stamp: frontend/package-lock.json $(NODE_TOOLS)
	@echo 'installing what the dashboard is built with ...'
	@cd frontend && $(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

frontend/dist/index.html: frontend/node_modules/.stamp $(shell find frontend/src frontend/public frontend/index.html frontend/scripts -type f 2>/dev/null)
	@echo 'building the dashboard ...'
	@cd frontend && $(NPM) run --silent build >/dev/null
	@touch $@
