# Everything on a fresh machine with Swift: `make demo` and `make test` install what is missing, build, and run.
SWIFT ?= swift
PYTHON = .build/python/bin/python
DEMO = .build/demo

.PHONY: demo test build dependencies lint format bench clean

demo: build
	.build/release/bitplan auto Fixtures/tatoeba-en-de --metric --no-store --data Fixtures/data/plan.en Fixtures/data/plan.de \
	    --check Fixtures/data/check.en Fixtures/data/check.de --size 10x --name demo \
	    --reports Reports --plans Plans --output $(DEMO)/packed

build: dependencies
	$(SWIFT) build -c release --product bitplan

# The tests run the binary as well, and Python reads what it wrote.
test: dependencies $(PYTHON)
	$(SWIFT) build -c release --build-tests
	BITPLAN_PYTHON=$(CURDIR)/$(PYTHON) $(SWIFT) test -c release --skip-build

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests

bench: dependencies
	$(SWIFT) run -c release bitplan-bench

# System libraries: SentencePiece, SQLite, libcrypto, and pkg-config to find them.
dependencies:
	@sh Scripts/install_dependencies.sh

# An environment of its own for the checks that Python makes: safetensors reads our files, jsonschema our plans.
$(PYTHON): Scripts/requirements.txt
	@sh Scripts/install_dependencies.sh python
	python3 -m venv .build/python
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r Scripts/requirements.txt
	@touch $(PYTHON)

clean:
	rm -rf .build
