# Everything is installed into .venv, once; `make` alone lists what there is.

# the fastest first: see docs/performance.md
PYTHON ?= python3.13 python3.12 python3 python3.11
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
# one of PYTHON that is new enough, and can make virtual environments if any can
python = $(or $(call newer,$(PYTHON),11,ensurepip),$(call newer,$(PYTHON),11,sys))
newer = $(shell for each in $(1); do "$$each" -c 'import sys, $(3); sys.exit(sys.version_info < (3, $(2)))' \
	2>/dev/null && echo "$$each" && break; done)
has_venv = $(shell $(python) -c 'import ensurepip, venv' 2>/dev/null && echo yes)
package = $(shell $(python) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')

# what was compiled once need not be compiled by each of a thousand processes
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: help demo demo-cwl install serve test clients screenshots lint types bench peers chaos soak clean

help:
	@echo "make demo      show it: a server, a satellite scene, a water mask"
	@echo "make demo-cwl  show application packages: a CWL workflow on two images"
	@echo "make install   install everything that is shipped; then $(BIN)/geomill"
	@echo "make serve     serve on http://127.0.0.1:8080/"
	@echo "make test      run the tests; make test ARGS='-k dismiss' some of them, ARGS=--thorough the longest, too"
	@echo "make clients   install clients of other people, which the tests try if they are there"
	@echo "make screenshots  take pictures of every page: light, dark, narrow; and those of the README"
	@echo "make lint      check the style"
	@echo "make types     check the types"
	@echo "make bench     measure, and write docs/performance.md; make bench ARGS=--quick takes three minutes"
	@echo "make peers     install what that measures beside Geomill, if it is there"
	@echo "make chaos     kill a server at random, for minutes, and prove that nothing is lost"
	@echo "make soak      keep it at half load, for MINUTES=20, and prove that nothing of it grows"
	@echo "make clean     remove what these commands made"

demo: .venv/installed
	@$(BIN)/python examples/demo.py $(ARGS)

demo-cwl: .venv/installed
	@$(BIN)/python examples/demo_cwl.py $(ARGS)

install: .venv/installed

serve: .venv/installed
	@$(BIN)/geomill serve $(ARGS)

test: .venv/tools
	@$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

clients:
	@$(MAKE) --no-print-directory --jobs 2 --keep-going $(CLIENTS)

screenshots: .venv/tools
	@$(BIN)/pytest --quiet --screenshots screenshots tests/pages/test_every_page.py tests/pages/test_pictures.py $(ARGS)

lint: .venv/tools
	@$(BIN)/ruff check .

# mypy does not see what an editable install maps, so it gets the import names as links
types: .venv/tools
	@mkdir -p .venv/types/geomill
	@ln -sfn ../../../app ../../../client ../../../jobstore ../../../processes .venv/types/geomill/
	@MYPYPATH=.venv/types $(BIN)/mypy -p geomill.app -p geomill.client -p geomill.jobstore -p geomill.processes

bench: .venv/bench
	@$(BIN)/python -m benchmarks $(ARGS)

peers:
	@$(MAKE) --no-print-directory $(PEERS)

chaos: .venv/tools
	@cd tests && ../$(BIN)/python -m chaos $(ARGS)

soak: .venv/tools
	@cd tests && ../$(BIN)/python -m chaos.soak --minutes $(or $(MINUTES),20) $(ARGS)

clean:
	@rm -rf .venv build dist geomill.egg-info demo-output screenshots .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find app client jobstore processes tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

.venv/pyvenv.cfg:
	$(if $(python),,$(error Geomill needs Python 3.11 or newer: install the package python3, or say make PYTHON=/path/to/python))
	$(if $(has_venv),,$(error $(python) cannot make virtual environments: install the package $(package)))
	@$(python) -m venv .venv

.venv/installed: setup.cfg pyproject.toml | .venv/pyvenv.cfg
	@echo "Installing Geomill and its libraries into .venv; this takes a minute, once."
	@$(PIP) install --editable '.[geo,cwl,oidc]'
	@echo "Installed. Next: make demo, or $(BIN)/geomill serve"
	@touch $@

.venv/tools: setup.cfg pyproject.toml | .venv/pyvenv.cfg
	@echo "Installing Geomill, its libraries and what the tests need into .venv; this takes two minutes, once."
	@$(PIP) install --editable '.[geo,cwl,oidc,test]'
	@touch .venv/installed $@

.venv/bench: .venv/tools
	@$(PIP) install --editable '.[bench]' || echo "There will be no plots."
	@touch $@

# what clients and servers of other people need is not what Geomill needs: each has an environment of its own, and a
# newer Python
CLIENTS := $(patsubst tests/clients/%.txt,.venv/clients/%/installed,$(wildcard tests/clients/*.txt))
CLIENTS_PYTHON ?= $(PYTHON) python3.14 $(wildcard $(HOME)/.pyenv/versions/3.1[2-9].*/bin/python3)
clients_python = $(call newer,$(CLIENTS_PYTHON),12,sys)
whose = $(if $(filter $@,$(PEERS)),peers,clients)
PEERS := $(patsubst benchmarks/peers/%.txt,.venv/peers/%/installed,$(wildcard benchmarks/peers/*.txt))

$(CLIENTS): .venv/clients/%/installed: tests/clients/%.txt | .venv/pyvenv.cfg
$(PEERS): .venv/peers/%/installed: benchmarks/peers/%.txt | .venv/pyvenv.cfg
$(CLIENTS) $(PEERS):
	$(if $(clients_python),,$(error The $(whose) need Python 3.12 or newer: say make $(whose) CLIENTS_PYTHON=/path/to/python))
	@echo "Installing $(notdir $(@D)) and what it needs into $(@D)."
	@$(clients_python) -m venv --clear --without-pip $(@D)
	@$(PIP) --python $(@D) install --no-deps --only-binary :all: --requirement $<
	@touch $@
