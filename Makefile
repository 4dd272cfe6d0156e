# Few verbs; each is what CI calls too. `make run` and `make test` need nothing installed by hand.
PORT_BASE ?= 8000
VENV := .venv
BIN := $(VENV)/bin

NODE := $(patsubst %,tests/%/node_modules/.package-lock.json,clients/imapflow openid)

.PHONY: help run demo-reset install test clients check bench clean

help:                              ## these words (`make` alone)
	@awk -F ':.*## *' '/^[a-z-]+:.*## / { printf "  make %-12s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/runtime.done          ## install if needed, then start the whole product on 127.0.0.1
	@$(BIN)/mssante demo --data var --port-base $(PORT_BASE) --operators 2

demo-reset:                        ## forget the demo's data
	@[ ! -e var/demo.lock ] || flock -n var/demo.lock true || { echo "The demo is running: stop it first (Ctrl-C)."; exit 1; }
	rm -rf var

install: $(VENV)/runtime.done      ## virtual environment with hashed, pinned dependencies

test: $(VENV)/dev.done             ## everything: Debian packages when root, lint, types, layers, tests
	@scripts/system-packages
	@$(MAKE) --no-print-directory clients check
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -q --durations=10 --durations-min=5

clients: $(NODE)                   ## what the tests drive of Node.js: a mail client, an OpenID provider

check: $(VENV)/dev.done            ## lint, types, layers
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check . && echo "Lint and form: as they should be."
	@$(BIN)/mypy
	@said=$$($(BIN)/lint-imports) && echo "Layers: imports point downwards." || { echo "$$said"; exit 1; }

bench: $(VENV)/dev.done            ## figures of this machine (benchmarks/README.md)
	@$(BIN)/python -m benchmarks.run

$(VENV)/runtime.done: requirements/runtime.txt pyproject.toml
	@scripts/install requirements/runtime.txt
	@touch $@

$(VENV)/dev.done: requirements/dev.txt pyproject.toml
	@scripts/install requirements/dev.txt
	@touch $@ $(VENV)/runtime.done

$(NODE): %/node_modules/.package-lock.json: %/package-lock.json
	@cd $* && npm ci --ignore-scripts --no-audit --no-fund --silent

clean:                             ## take away all that was installed and made, the demo's data too
	rm -rf $(VENV) $(dir $(NODE)) var build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
