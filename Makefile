# Everything on a fresh machine with Swift: `make demo`, `make install` and `make test` install what is missing, build, and run.
SWIFT ?= swift
PYTHON = .build/python/bin/python
DEMO = .build/demo

# Where `make install` puts the program and the shells' completions; DESTDIR goes before, for those who make packages.
PREFIX ?= /usr/local
BIN = $(DESTDIR)$(PREFIX)/bin
BASH_COMPLETIONS = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSH_COMPLETIONS = $(DESTDIR)$(PREFIX)/share/zsh/site-functions
FISH_COMPLETIONS = $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
INSTALLED = $(BIN)/bitplan $(BASH_COMPLETIONS)/bitplan $(ZSH_COMPLETIONS)/_bitplan $(FISH_COMPLETIONS)/bitplan.fish

# The installed program carries Swift's runtime where that can be linked statically.
ifneq ($(shell uname),Darwin)
INSTALL_FLAGS = --static-swift-stdlib
endif
INSTALL_BUILD = $(SWIFT) build -c release --product bitplan --scratch-path .build-install $(INSTALL_FLAGS)

.PHONY: demo test build install uninstall dependencies lint format check fuzz sanitize faults bench clean

demo: build
	.build/release/bitplan auto Fixtures/tatoeba-en-de --metric-top 60 --no-store --data Fixtures/data/plan.en Fixtures/data/plan.de \
	    --check Fixtures/data/check.en Fixtures/data/check.de --size 10x --name demo \
	    --reports Reports --plans Plans --output $(DEMO)/packed

build: dependencies
	$(SWIFT) build -c release --product bitplan

install: dependencies
	$(INSTALL_BUILD)
	mkdir -p $(BIN) $(BASH_COMPLETIONS) $(ZSH_COMPLETIONS) $(FISH_COMPLETIONS)
	install -m 755 "$$($(INSTALL_BUILD) --show-bin-path)/bitplan" $(BIN)/bitplan
	strip $(BIN)/bitplan
	$(BIN)/bitplan --generate-completion-script bash > $(BASH_COMPLETIONS)/bitplan
	$(BIN)/bitplan --generate-completion-script zsh > $(ZSH_COMPLETIONS)/_bitplan
	$(BIN)/bitplan --generate-completion-script fish > $(FISH_COMPLETIONS)/bitplan.fish

uninstall:
	rm -f $(INSTALLED)

# The tests run the binary as well, and Python reads what it wrote.
test: dependencies $(PYTHON)
	$(SWIFT) build -c release --build-tests
	BITPLAN_PYTHON=$(CURDIR)/$(PYTHON) $(SWIFT) test -c release --skip-build

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests
	python3 Scripts/comment_width.py

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests
	python3 Scripts/comment_width.py --fix

# What those who change bitplan need and its users do not: minutes that `make test` does not take.
check: lint build
	sh Scripts/install_dependencies.sh arm
	sh Scripts/check_kernels.sh
	sh Scripts/check_neon.sh
	sh Scripts/check_version.sh
	sh Scripts/check_documentation.sh
	$(SWIFT) build --package-path Tests/DependentPackage --scratch-path .build/dependent
	.build/dependent/debug/Application
	$(SWIFT) build -c release --product bitplan-fuzz
	python3 Scripts/fuzz.py --check --seconds 2 --seed 1
	python3 Scripts/faults/inject.py --step 41 sweep quantize run
	python3 Scripts/faults/kill.py --times 5 sweep quantize

# Every reader of files of others under random input, each so many seconds.
SECONDS ?= 60
fuzz: dependencies
	python3 Scripts/fuzz.py --seconds $(SECONDS)

# C kernels under the address and undefined-behaviour sanitizers; the tests of rooms that read files under the first, those of
# rooms that have threads under the thread sanitizer.
sanitize: dependencies
	sh Scripts/sanitize_kernels.sh
	sh Scripts/sanitize_tests.sh

# The file system fails and commands are killed, everywhere once (half an hour).
faults: build
	python3 Scripts/faults/inject.py --report Reports/faults.md
	for processes in 1 2 3; do python3 Scripts/faults/kill.py --processes $$processes --report Reports/faults.md; done

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
	rm -rf .build .build-install .build-fuzz .build-thread
