# Everything a newcomer types. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
READY := .venv/.ready
PACKAGES := .venv/.packages
CONFIG ?=
SECONDS ?= 240
ARGS ?=

.PHONY: help setup run test bench fuzz explore check format docs clean

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): setup.cfg pyproject.toml scripts/setup.sh
	@scripts/setup.sh environment

# Not a file rule: what could not be installed yesterday may be there today.
setup: $(READY) ## the environment in .venv/, and what the tests need besides
	@scripts/setup.sh packages

run: $(READY) ## the demo with simulated callers; CONFIG=my.toml: a real configuration
	@scripts/setup.sh browser
ifeq ($(strip $(CONFIG)),)
	@exec $(PYTHON) scripts/demo.py $(ARGS)
else
	@exec .venv/bin/callcore run --config "$(CONFIG)"
endif

# What needs no real phone runs on all cores. Phones and servers wait more than they work: where networks of
# their own may be made (as root), two of them play at a time; those that are heard play alone.
test: setup ## the whole test suite (ARGS="-k queue" for a part of it)
	@if [ -e $(PACKAGES) ]; then export CALLCORE_REQUIRE_INTEROP=1; fi; \
	if [ -n '$(strip $(ARGS))' ]; then exec $(PYTHON) -m pytest $(ARGS); fi; \
	failed=0; \
	$(PYTHON) -m pytest -m 'not interop' --numprocesses auto --maxprocesses 4 || failed=1; \
	apart=; \
	if [ "$$(nproc)" -gt 1 ] && unshare --net true 2>/dev/null; then \
		export CALLCORE_TEST_NETWORKS=1; apart='--numprocesses 2 --dist loadfile'; fi; \
	$(PYTHON) -m pytest -m 'interop and not alone' $$apart || failed=1; \
	$(PYTHON) -m pytest -m 'interop and alone' || failed=1; \
	exit $$failed

bench: setup ## every benchmark; figures in benchmarks/results/ (ARGS=--quick for a short run)
	@exec $(PYTHON) scripts/bench.py $(ARGS)

# Goes on from the inputs that are kept, and keeps what it finds; a crash leaves its input behind.
fuzz: $(READY) ## atheris on every parser for SECONDS=240 in all
	@$(PYTHON) -c 'import atheris' 2>/dev/null || $(PYTHON) -m pip install --quiet --editable '.[fuzz]'
	@folder=$$(mktemp -d); $(PYTHON) -m tests.fuzz.kept unpack $$folder; \
	for name in message framer sdp digest; do \
		echo "fuzz: $$name"; \
		$(PYTHON) -m tests.fuzz.fuzz_$$name -max_total_time=$$(( $(SECONDS) / 4 )) -max_len=4096 \
			-reduce_inputs=1 -print_final_stats=1 $$folder/$$name 2>&1 | tail -n 12; \
	done; $(PYTHON) -m tests.fuzz.kept pack $$folder; rm -r $$folder

# New examples at each turn, by the seed that it prints; the test suite itself always draws the same.
explore: $(READY) ## every property test again and again for SECONDS=240, with new examples
	@end=$$(( SECONDS + $(SECONDS) )); while [ $$SECONDS -lt $$end ]; do \
		seed=$$RANDOM$$RANDOM; echo "explore: seed $$seed"; \
		$(PYTHON) -m pytest -q -m 'hypothesis and not interop' --hypothesis-profile explore --hypothesis-seed $$seed \
			--numprocesses auto --maxprocesses 4 $(ARGS) || exit 1; \
	done

check: $(READY) ## ruff and mypy
	@echo "check: ruff"; .venv/bin/ruff check . && .venv/bin/ruff format --check .
	@echo "check: mypy"; .venv/bin/mypy

format: $(READY) ## let ruff put the code into shape
	@.venv/bin/ruff check --fix . ; .venv/bin/ruff format .

docs: $(READY) ## the documentation as a site in site/
	@scripts/setup.sh docs
	@$(PYTHON) scripts/make_config_docs.py
	@$(PYTHON) scripts/make_trunk_docs.py
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet && echo "docs: open site/index.html"

clean: ## everything that was made, the environment too; var/ and its recordings stay
	@rm -rf .venv build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
