# Two commands matter: `make up` rebuilds production in the local cloud, `make test` proves that it works.
# `make` alone lists the rest. Everything that is fetched or built is kept in .venv, .localcloud and the user's cache.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

STACK ?=
# More options of `continuity up`.
OPTIONS ?=
# For `make preview-change`: the commit that the change is compared with, and the file for the comment's text.
BASE ?= origin/main
COMMENT ?=
PYTHON3 ?= python3
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/localcloud
UV := $(CACHE)/uv/$(shell cksum < .ci/uv.txt | cut -d ' ' -f 1)/bin/uv
ACTIONLINT := $(CACHE)/actionlint/$(shell cksum < .ci/actionlint/go.sum | cut -d ' ' -f 1)/actionlint
VALE := $(CACHE)/vale/$(shell cksum < .ci/vale/go.sum | cut -d ' ' -f 1)/vale
READY := .venv/ready-$(shell cat uv.lock pyproject.toml | cksum | cut -d ' ' -f 1)
PYTHON := .venv/bin/python
LOCALCLOUD := $(PYTHON) -m localcloud
CONTINUITY := $(LOCALCLOUD) exec -- $(abspath $(PYTHON)) -m continuity

export UV_PYTHON_DOWNLOADS = never
# Where it is set, every command would compile the SDKs again: seconds each time.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  STACK=vault, prod, github or dr chooses one stack: make up STACK=prod"

.PHONY: packages
packages: $(READY) ## The virtual environment alone, from uv.lock

.PHONY: setup
setup: $(READY) ## The virtual environment from uv.lock, and the engine (built once where it is not on PATH)
	@$(LOCALCLOUD) engine

.PHONY: up
up: $(READY) ## Bring production up in the local cloud, with the policy pack in force
	@$(LOCALCLOUD) recover
	@$(CONTINUITY) up --yes $(OPTIONS) $(or $(STACK),vault prod github)

.PHONY: dr
dr: STACK := dr
dr: up ## The same for the disaster-recovery stack

# In a separate local cloud, which is new each time and deleted afterwards. After a failure it stays, for a look at it.
RECOVERY := LOCALCLOUD_FOLDER="$(abspath .localcloud/recovery)"
.PHONY: recovery
recovery: $(READY) ## Lose Germany and IAM's control plane while rows are written, recover in Ireland, and measure what it cost
	@$(RECOVERY) $(LOCALCLOUD) erase --yes
	@$(RECOVERY) $(CONTINUITY) up --yes
	@$(RECOVERY) $(CONTINUITY) drill recovery --yes --fault '$(abspath $(PYTHON)) -m localcloud cut {home_region} us-east-1' \
	  || { echo "what is left of it: LOCALCLOUD_FOLDER=.localcloud/recovery $(LOCALCLOUD) shell" >&2; exit 1; }
	@$(RECOVERY) $(LOCALCLOUD) erase --yes

# In a separate local cloud too: a host of each role, all active ones, and a location are lost, one after the other.
FAILOVER := LOCALCLOUD_FOLDER="$(abspath .localcloud/failover)"
.PHONY: failover
failover: $(READY) ## Lose a host, all active hosts and a location under load, and measure what it cost
	@$(FAILOVER) $(LOCALCLOUD) erase --yes
	@$(FAILOVER) $(CONTINUITY) up --yes
	@for lost in "host" "active" "location --location nbg1"; do \
	  $(FAILOVER) $(CONTINUITY) drill failover --yes --lose $$lost \
	    || { echo "what is left of it: LOCALCLOUD_FOLDER=.localcloud/failover $(LOCALCLOUD) shell" >&2; exit 1; }; \
	done
	@$(FAILOVER) $(LOCALCLOUD) erase --yes

.PHONY: preview
preview: $(READY) ## What `up` would change, and what the policy pack refuses
	@$(CONTINUITY) preview $(STACK)

.PHONY: preview-change
preview-change: $(READY) ## The comment on a pull request: what is checked out here, previewed against BASE
	@.ci/preview-change '$(BASE)' $(COMMENT)

.PHONY: drift
drift: $(READY) ## What was changed outside the code, property by property
	@$(CONTINUITY) drift $(STACK)

.PHONY: bundle
bundle: $(READY) ## Put the repository, as one file, into the bucket in Ireland
	@$(CONTINUITY) bundle push

.PHONY: clean-room
clean-room: $(READY) ## Production from a bundle alone, in an empty folder, with GitHub cut off (BUNDLE= names one)
	@.ci/clean-room $(BUNDLE)

.PHONY: status
status: $(READY) ## What exists, and where
	@$(CONTINUITY) status || test $$? = 3

.PHONY: shell
shell: $(READY) ## A shell in which pulumi, hcloud and every SDK work against the local cloud
	@$(LOCALCLOUD) shell

.PHONY: start
start: $(READY) ## Start the local cloud alone
	@$(LOCALCLOUD) start

.PHONY: stop
stop: $(READY) ## Stop the local cloud; what it holds stays
	@$(LOCALCLOUD) stop

.PHONY: down
down: $(READY) ## Stop the local cloud and forget all that it holds
	@$(LOCALCLOUD) erase --yes

.PHONY: test
test: $(READY) ## Every test: the real engine against separate local clouds
	@$(LOCALCLOUD) engine > /dev/null
	@$(PYTHON) -m pytest $(PYTEST)

.PHONY: lint
lint: $(READY) ## Style, types, English, the arrows between packages, named paths, and uv.lock against pyproject.toml
	@$(UV) lock --check --quiet --python "$$(command -v $(PYTHON))" \
	  || { echo "uv.lock is not what pyproject.toml asks for: run $(UV) lock" >&2; exit 1; }
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports --no-logo
	@$(PYTHON) -m pytest -q -n0 tests/test_named_paths.py
	@if command -v go > /dev/null; then cd localcloud/engine && test -z "$$(gofmt -l .)" && go vet ./...; fi
	@$(MAKE) lint-workflows
	@$(MAKE) lint-prose

# zizmor looks for ways to break into a workflow, actionlint for mistakes in one.
.PHONY: lint-workflows
lint-workflows: $(READY)
	@.venv/bin/zizmor --offline --quiet --persona=auditor .github
	@if command -v go > /dev/null; then $(MAKE) $(ACTIONLINT) && $(ACTIONLINT) -no-color; \
	 elif [ -n "$$CI" ]; then echo "actionlint is built with Go, which is not on PATH" >&2; exit 1; \
	 else echo "without Go there is no actionlint: workflows were looked at by zizmor alone" >&2; fi

# Built once for each user from what the Go module registry has, checked by go.sum.
$(ACTIONLINT): .ci/actionlint/go.sum
	@echo "building actionlint"
	@mkdir -p "$(@D)"
	@cd .ci/actionlint && go build -o "$@" github.com/rhysd/actionlint/cmd/actionlint

# Vale has parsers in C, so it is built with a C compiler too.
.PHONY: lint-prose
lint-prose: $(READY) ## The English of documents, docstrings, comments and messages
	@if command -v go > /dev/null && command -v "$${CC:-cc}" > /dev/null; then \
	   $(MAKE) $(VALE) && $(PYTHON) .ci/prose.py --vale $(VALE); \
	 elif [ -n "$$CI" ]; then echo "Vale is built with Go and a C compiler; one of them is not on PATH" >&2; exit 1; \
	 else echo "without Go and a C compiler there is no Vale: the English was not checked" >&2; fi

.PHONY: vale
vale: $(VALE)
	@echo $(VALE)

$(VALE): .ci/vale/go.sum
	@echo "building Vale" >&2
	@mkdir -p "$(@D)"
	@cd .ci/vale && CGO_ENABLED=1 go build -trimpath -o "$@.new" github.com/vale-cli/vale/v3/cmd/vale && mv "$@.new" "$@"

.PHONY: bench
bench: $(READY) ## Measure what is said about speed: previews, policies, and the recovery of a database
	@$(LOCALCLOUD) engine > /dev/null
	@failed=0; for one in preview policies recovery; do $(PYTHON) -m benchmarks.$$one || failed=1; done; exit $$failed

# A stamp, so that an interrupted set-up is repeated. Its name comes from the contents of the files, not from their age. A
# copy of this folder that borrows its .venv by a link has nothing to set up; a copy that needs other packages makes a
# separate environment and leaves the borrowed one alone.
$(READY): | $(UV)
	@echo "setting up .venv from uv.lock"
	@if [ -L .venv ]; then rm .venv; else rm -f .venv/ready*; fi
	@$(UV) sync --locked --quiet --python "$$(command -v $(PYTHON3))"
	@touch $@

# Its folder is named by what .ci/uv.txt says, so it depends on no file's age: a fresh clone finds it there.
$(UV):
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON3) is $$($(PYTHON3) --version 2>&1); 3.11 or newer is needed (PYTHON3=... names another)" >&2; exit 1; }
	@echo "fetching uv"
	@rm -rf "$(UV:/bin/uv=)" && mkdir -p "$(UV:/bin/uv=)"
	@$(PYTHON3) -m venv "$(UV:/bin/uv=)" \
	  || { rm -rf "$(UV:/bin/uv=)"; echo "python3 cannot make virtual environments: on Debian, apt-get install python3-venv" >&2; exit 1; }
	@"$(UV:/bin/uv=)/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/uv.txt \
	  || { rm -rf "$(UV:/bin/uv=)"; exit 1; }

.PHONY: policies
policies: $(READY) ## Write docs/policies.md from the policies (a test fails when it is not what they say)
	@$(PYTHON) -m policy_pack.documentation.documents > docs/policies.md

# In a separate local cloud. A command that fails leaves the old picture as it is.
RECORDING := LOCALCLOUD_FOLDER="$(abspath .localcloud/recording)"
.PHONY: recordings
recordings: $(READY) ## Draw the last screens of `make up` and `make failover` for the README
	@$(RECORDING) $(LOCALCLOUD) erase --yes
	@$(RECORDING) $(PYTHON) .ci/record.py docs/up.svg $(MAKE) up
	@$(RECORDING) $(LOCALCLOUD) erase --yes
	@$(PYTHON) .ci/record.py docs/failover.svg $(MAKE) failover

.PHONY: docs
docs: $(READY) ## Render the picture of the architecture (needs graphviz)
	@{ echo "<!-- from architecture.dot $$($(PYTHON) -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())' < docs/architecture.dot) -->"; \
	   dot -Tsvg docs/architecture.dot | sed '1,/^<!DOCTYPE/d; /^ "http.*dtd">$$/d; /^<!-- Generated by/,/-->/d'; } > docs/architecture.svg
