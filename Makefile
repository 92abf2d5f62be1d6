# Two commands matter: `make up` rebuilds production in the local cloud, `make test` proves that it works.
# `make` alone lists the rest. Everything that is fetched or built is kept in .venv, .localcloud and the user's cache.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

STACK ?=
PYTHON3 ?= python3
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/localcloud
UV := $(CACHE)/uv/$(shell cksum < .ci/uv.txt | cut -d ' ' -f 1)/bin/uv
PYTHON := .venv/bin/python
LOCALCLOUD := $(PYTHON) -m localcloud
CONTINUITY := $(LOCALCLOUD) exec -- $(abspath $(PYTHON)) -m continuity

export UV_PYTHON_DOWNLOADS = never
# Where it is set, every command would compile the SDKs anew: seconds each time.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  STACK=vault, prod or dr chooses one stack: make up STACK=prod"

.PHONY: setup
setup: .venv/ready ## The virtual environment from uv.lock, and the engine (built once where it is not on PATH)
	@$(LOCALCLOUD) engine

.PHONY: up
up: .venv/ready ## Bring production up in the local cloud, with the policy pack in force
	@$(LOCALCLOUD) recover
	@$(CONTINUITY) up --yes $(STACK)

.PHONY: dr
dr: STACK := dr
dr: up ## The same for the disaster-recovery stack

.PHONY: preview
preview: .venv/ready ## What `up` would change, and what the policy pack says of it
	@$(CONTINUITY) preview $(STACK)

.PHONY: status
status: .venv/ready ## What exists, and where
	@$(CONTINUITY) status

.PHONY: shell
shell: .venv/ready ## A shell in which pulumi, hcloud and every SDK work against the local cloud
	@$(LOCALCLOUD) shell

.PHONY: start
start: .venv/ready ## Start the local cloud alone
	@$(LOCALCLOUD) start

.PHONY: stop
stop: .venv/ready ## Stop the local cloud; what it holds stays
	@$(LOCALCLOUD) stop

.PHONY: down
down: .venv/ready ## Stop the local cloud and forget all that it holds
	@$(LOCALCLOUD) erase --yes

.PHONY: test
test: .venv/ready ## Every test: the real engine against local clouds of their own
	@$(LOCALCLOUD) engine > /dev/null
	@$(PYTHON) -m pytest $(PYTEST)

.PHONY: lint
lint: .venv/ready ## Style, types, and that uv.lock is what pyproject.toml asks for
	@$(UV) lock --check --quiet || { echo "uv.lock is not what pyproject.toml asks for: run $(UV) lock" >&2; exit 1; }
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@if command -v go > /dev/null; then cd localcloud/engine && test -z "$$(gofmt -l .)" && go vet ./...; fi

.PHONY: bench
bench: .venv/ready ## How long a preview of prod takes, beside a program that only imports the SDKs
	@$(LOCALCLOUD) engine > /dev/null
	@$(PYTHON) -m benchmarks.preview

# A stamp, so that a set-up that was interrupted is done again.
.venv/ready: uv.lock pyproject.toml $(UV)
	@echo "setting up .venv from uv.lock"
	@$(UV) sync --locked --quiet --python "$$(command -v $(PYTHON3))"
	@touch $@

$(UV): .ci/uv.txt
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON3) is $$($(PYTHON3) --version 2>&1); 3.11 or newer is needed (PYTHON3=... names another)" >&2; exit 1; }
	@echo "fetching uv"
	@rm -rf "$(UV:/bin/uv=)" && mkdir -p "$(UV:/bin/uv=)"
	@$(PYTHON3) -m venv "$(UV:/bin/uv=)" \
	  || { rm -rf "$(UV:/bin/uv=)"; echo "python3 cannot make virtual environments: on Debian, apt-get install python3-venv" >&2; exit 1; }
	@"$(UV:/bin/uv=)/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/uv.txt \
	  || { rm -rf "$(UV:/bin/uv=)"; exit 1; }
