# The only entry point. `make` prints this help.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Compiled dependencies and tools outlive the clone; without the cache everything is built again.
COUNTERSIGN_CACHE ?= $(HOME)/.cache/countersign
export COUNTERSIGN_CACHE
export CARGO_TARGET_DIR ?= $(COUNTERSIGN_CACHE)/target
export CARGO_TERM_QUIET ?= $(if $(CI),true,false)

CLUSTER ?= simulated
FORGE ?= plain
STACK ?= core

# What alone builds the SDKs of AWS: the functions on Lambda, and the tests of the cloud form.
LAMBDAS := receive gather evaluate record apply observe drift report poll witness
CLOUD := $(LAMBDAS:%=countersign-%/lambda) countersign-tests/aws

# What the tests are built with; their programs too, so that nothing is compiled twice.
TESTED := $(CLOUD) countersign-render/oracle

help: ## Print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What the long tests run: optimized, with the faults of a debug build.
SOAK := countersign countersign-simulate countersign-kills countersign-load

build: ## Build the countersign command, and the small programs of the demo and the tests
	@cargo build --quiet -p countersign-cli -p countersign-tests --bins

# All programs, also those of the cloud form, with the features that the tests have: so nothing is compiled twice.
programs:
	@cargo build --quiet --workspace --features "$(TESTED)" --bins

demo: build $(if $(filter real gitea,$(CLUSTER) $(FORGE)),tools) ## Show the main job (CLUSTER=real, FORGE=gitea for real ones; KEEP=1 to look around)
	@CLUSTER=$(CLUSTER) FORGE=$(FORGE) bash samples/demo.sh $(CARGO_TARGET_DIR)/debug/countersign

check: ## Format, lint, and the fast tests
	@cargo fmt --all --check
	@cargo clippy --quiet --workspace --all-targets --features "$(CLOUD)" -- --deny warnings
	@cargo test --quiet --workspace --exclude countersign-tests

policies: build ## Run the tests of the starter policies
	@$(CARGO_TARGET_DIR)/debug/countersign policy test policies

docs: build ## Write the generated references again: rules and schemas
	@$(CARGO_TARGET_DIR)/debug/countersign policy list policies --markdown > docs/POLICIES.md
	@COUNTERSIGN_WRITE=1 cargo test --quiet -p countersign-policy schema

tools: ## Build the real servers that tests use, once, into the cache
	@bash tests/tools/build.sh etcd kubernetes kwok gitea elasticmq versitygw moto aws kustomize
	@bash tests/tools/github-openapi/fetch.sh

test: tools programs infra ## Run every test, also on a real Kubernetes API server
	@cargo fetch --quiet --locked # What functions link is asked offline, also of crates that no test builds.
	@cargo test --quiet --workspace --features "$(TESTED)" --lib --bins --tests --no-fail-fast 2>&1 | awk -f tests/summary.awk

infra: ## Check the templates of the cloud form: our rules, cfn-lint, checkov
	@bash tests/infra/check.sh

package: ## Build dist/FUNCTION.zip for Lambda, the same bytes wherever (ARCH=x86_64; FUNCTIONS="apply drift" for some)
	@bash infra/package.sh $(FUNCTIONS)

deploy: ## Deploy a stack with sam (STACK=core, cluster, witness or link; PARAMETERS=FILE with one Name=value a line)
	@bash infra/deploy.sh $(STACK) $(PARAMETERS)

bench: tools ## Measure how fast changes arrive, and where the time goes (BENCH="--only one --samples 20" for less)
	@cargo build --quiet --release $(if $(findstring cloud,$(BENCH)),--features "$(CLOUD)" $(foreach name,$(LAMBDAS),-p countersign-$(name) --bin countersign-$(name))) \
		-p countersign-cli -p countersign-tests --bin countersign --bin countersign-bench
	@$(CARGO_TARGET_DIR)/release/countersign-bench --results $(CARGO_TARGET_DIR)/bench.json $(BENCH)

bench-render: ## Measure builds of kustomizations beside kustomize 5.8.2, and looks at large and long repositories
	@cargo bench --quiet -p countersign-render --features oracle --bench builds
	@cargo bench --quiet -p countersign-gather --bench unchanged --bench pushes --bench cold

soak: tools programs ## Run the long tests: simulation, kills, load, cloud, faults, kustomize, packaging, fuzzing (SHORT=1 for a few minutes of each)
	@cargo build --quiet --profile soak -p countersign-cli -p countersign-tests $(SOAK:%=--bin %)
	@bash tests/soak.sh $(CARGO_TARGET_DIR)/soak $(CARGO_TARGET_DIR)/debug

trace: ## Write samples/trace again: each stage's real output for one push
	@UPDATE_TRACE=1 cargo test --quiet -p countersign-tests --test trace

.PHONY: help build programs demo check policies docs tools test infra package deploy bench bench-render trace soak
