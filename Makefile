PYTHON ?= python3
BIN := .venv/bin
PROJECTS := pyproject.toml core/pyproject.toml $(sort $(wildcard plugins/*/pyproject.toml))
MEMBERS := $(patsubst %/,%,$(dir $(PROJECTS)))
NAMES := $(shell sed -n 's/^name = "\(.*\)"$$/\1/p' $(PROJECTS))

.DEFAULT_GOAL := test
.DELETE_ON_ERROR:
.PHONY: test demo check coverage lock wheels clean

test: .venv/.installed
	$(BIN)/pytest -q

demo: .venv/.installed
	$(BIN)/python -m adapter_host demo capabilities/netbird-checkout.yaml

# The plugins' tests share module names, so the tests are named by their paths, and apart from the packages.
check: .venv/.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy core/adapter_host plugins/*/adapter_host_*
	$(BIN)/mypy --explicit-package-bases --cache-dir .mypy_cache/tests tests $(wildcard plugins/*/tests)

coverage: .venv/.installed
	$(BIN)/pytest -q --cov --cov-fail-under=90

lock: $(BIN)/uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header \
		$(addprefix --no-emit-package ,$(NAMES)) --group build --group dev \
		--output-file requirements.lock $(PROJECTS)

wheels: .venv/.installed
	rm -rf dist
	$(BIN)/uv build --quiet --all-packages --wheel --no-build-isolation --python $(BIN)/python --out-dir dist

clean:
	rm -rf .venv .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache dist
	find core plugins tests -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: requirements.lock $(PROJECTS) $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirements requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --no-sources \
		$(addprefix --editable ./,$(MEMBERS))
	touch $@

# Made once: another uv in the lock is installed over this one with the rest.
$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit("adapter-host needs Python 3.11 or newer, $(PYTHON) is %d.%d: make PYTHON=python3.11" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	awk '/^[^ ]/ {uv = /^uv==/} uv' requirements.lock > .venv/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.lock
