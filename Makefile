# Everything a fresh machine needs is installed by these targets themselves; Python 3.11 or newer is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SCALE ?= sample
JOBS ?= 1
# Thousands of processes are started by tests and campaigns: none of them compiles the program anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: drill drills drills-with-pip drills-with-uv test check conformance campaigns mutants bench pages sbom audit clean

$(STAMP): pyproject.toml constraints.txt
	@echo "1/3 Creating the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@echo "2/3 Installing uscdr and its libraries into it (on a fresh machine a minute or more)"
	@rm -f $@
	@{ $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -c constraints.txt \
		-e '.[all,dev]' && touch $@; } | \
		awk '/^ *Collecting/ { n++; printf "    %d: %s\n", n, $$2; fflush() } /^Installing/ { print "    installing " n " packages"; fflush() }'
	@test -e $@
	@rm -f $@
	@echo "3/3 Compiling"
	@$(BIN)/python -m compileall -q src
	@touch $@

drill: $(STAMP)          ## the main job: a database disaster on the sandbox, recovered and reported
	$(BIN)/uscdr drill db

drills: $(STAMP)         ## every disaster (database, application, media, infrastructure, backups), from the installed wheel, with pip and with uv
	$(MAKE) -j 2 --output-sync=target drills-with-pip drills-with-uv

drills-with-pip: $(STAMP)
	bash tests/installed/drills.sh $(BIN)/python reports infra db app media backups

drills-with-uv: $(STAMP)
	bash tests/installed/tool.sh $(BIN)/python $(BIN)/uv reports/tool

test: $(STAMP)           ## unit, golden and sandbox tests
	$(BIN)/python -m pytest -q -n 4 --dist worksteal  # two cores, and what waits meanwhile

check: $(STAMP)          ## ruff, mypy --strict, import-linter, the limits of tools/house.py
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/house.py

conformance: $(STAMP)    ## official clients, real name servers and age beside the sandbox
	bash tests/conformance/install_clients.sh .clients
	sh tests/conformance/install_packages.sh
	$(BIN)/python -m pytest -q -n 3 --dist loadfile tests/conformance  # each file has its own servers

campaigns: $(STAMP)      ## kill -9, faults, bad input, leaks: real processes on the sandbox; SCALE=full for all cases
	$(BIN)/python -m tests.campaigns --scale $(SCALE)

mutants: $(STAMP)        ## whether the tests find the faults of a fixed list; JOBS=2 for two at a time
	$(BIN)/python -m tools.mutate --jobs $(JOBS)

bench: $(STAMP)          ## ratios in one run, into docs/benchmarks.md and reports/bench.json
	bash tests/conformance/install_clients.sh .clients
	sh tests/conformance/install_packages.sh
	$(BIN)/python -m bench --write

pages: $(STAMP)          ## the manual pages, docs/commands.md and the pictures of screens; tests hold that they are up to date
	$(BIN)/python -m tools.pages
	$(BIN)/python -m tools.pictures

sbom: $(STAMP)           ## build/sbom.json: what an installation with every extra consists of (CycloneDX)
	$(BIN)/python -m tools.sbom build/sbom.json

audit: $(STAMP)          ## known vulnerabilities of what is installed; needs the network, and fails without an answer
	$(BIN)/python -m tools.audit

clean:
	rm -rf $(VENV) .clients reports build dist
