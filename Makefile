# Few words, each of which works on a fresh machine. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

TRIPLE := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
ARCH := $(if $(findstring aarch64,$(TRIPLE)),arm64,amd64)
TARGET := $(or $(CARGO_TARGET_DIR),target)
INSIDE := $(TARGET)/inside
# A newer Node than Debian's, where scripts/setup had to bring one.
export PATH := $(CURDIR)/.setup/node/node_modules/.bin:$(PATH)

.PHONY: help run build test check fmt bench bundle setup inside ui

help: ## List these words
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

run: ## Set up, install a server, call it through the bridge, then open the tray app or run the daemon
	@scripts/setup run
	@$(MAKE) --no-print-directory build
	@scripts/run $(TARGET)/release

build: ## Build the release command line at target/release/caisson
	@scripts/setup build
	@$(MAKE) --no-print-directory inside
	cargo build --release --locked -p caisson-cli
	@install -m 755 $(INSIDE)/$(TRIPLE)/release/caisson-airlock $(TARGET)/release/airlock-linux-$(ARCH)
	@install -m 755 $(INSIDE)/$(TRIPLE)/release/caisson-probe $(TARGET)/release/probe-linux-$(ARCH)
	@install -m 755 $(INSIDE)/$(TRIPLE)/release/caisson-example $(TARGET)/release/example-linux-$(ARCH)

# What runs inside containers is static: it starts in an image that holds nothing else.
inside:
	RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target $(TRIPLE) \
		--target-dir $(INSIDE) -p caisson-airlock -p caisson-probe -p caisson-example \
		-p caisson-fixture -p caisson-hostile

ui:
	cd ui && npm ci --no-audit --no-fund && npm run build

test: ## Run every test, on every engine this machine can run
	@scripts/setup test
	@$(MAKE) --no-print-directory inside ui
	@scripts/test

check: ## Lint: formatting, clippy, licences and advisories, types of the window
	@scripts/setup desktop
	@$(MAKE) --no-print-directory ui
	cargo fmt --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cd ui && npm run check
	@if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; \
	else echo "check: cargo-deny is not installed: bans, licences and sources are NOT checked (cargo install cargo-deny)"; fi

fmt: ## Format everything
	cargo fmt

bench: ## Measure Caisson beside other bridges and the engines alone; writes docs/benchmarks.md
	@scripts/setup bench
	@$(MAKE) --no-print-directory build
	cargo build --release --locked -p caisson-bench
	@install -m 755 $(INSIDE)/$(TRIPLE)/release/caisson-bare $(TARGET)/release/bare-linux-$(ARCH)
	@scripts/bench $(TARGET)/release --docs docs --json $(TARGET)/benchmarks.json

bundle: ## Build the packages people install
	@scripts/setup desktop
	@$(MAKE) --no-print-directory build ui
	@scripts/bundle $(TARGET)/release

setup: ## Install everything the other words need
	@scripts/setup run test desktop
