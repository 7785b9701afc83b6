# Targets are commands that a person types; `make` alone lists them.
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
TAGS      := invariants
CACHE     := .cache
LINTER    := $(CACHE)/golangci-lint
BENCHSTAT := go tool -modfile=go.tools.mod benchstat

# Of fuzz, bench, bench-compare and bench-peers.
PKG      ?= ./...
FUZZTIME ?= 10m
BENCH    ?= .
COUNT    ?= 10
ARGS     ?=
# What the peers know, at a scale at which all of it takes some minutes on two cores.
PEERARGS ?= --count 1 --scale 0.1 grep wordcount ysb filter75 1brc nexmark
PEERS    ?= duckdb,duckdb-parts,polars,spark,flink
FLINK    := $(CACHE)/peers/flink-venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help build run test race lint fuzz crash test-python spark-golden bench bench-compare bench-peers fmt tidy generate check clean-tree

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/tidemill, a static binary
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/tidemill ./cmd/tidemill

run: build ## count the words of a novel that comes in over TCP
	examples/wordcount/run.sh

test: ## vet, and run all tests with invariants on
	go vet -tags $(TAGS) ./...
	go test -tags $(TAGS) -shuffle=on ./...

race: ## run all tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -tags $(TAGS) -shuffle=on ./...

$(LINTER): go.tools.mod go.tools.sum
	CGO_ENABLED=0 go build -modfile=go.tools.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

lint: $(LINTER) ## run the linters, and see that they find a planted fault in each layer
	$(LINTER) run ./...
	TIDEMILL_LINTER=$(abspath $(LINTER)) go test -count=1 ./internal/lint

fuzz: ## fuzz every target for FUZZTIME=10m; what is found stays in testdata/fuzz
	@set -e; for pkg in $$(go list $(PKG)); do \
		for target in $$(go test -tags $(TAGS) -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "== $$pkg $$target"; \
			go test -tags $(TAGS) -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

crash: ## crash and fail jobs at every file operation, and kill processes 200 times: some minutes
	go test -tags $(TAGS) -count=1 -timeout 60m -v -run 'Crash|Error|Disk|Damaged|Journal|Record|Clock' . -full
	go test -tags $(TAGS) -count=1 -timeout 60m -run 'Killed|Frozen|Signal|Chaos' ./cmd/tidemill -rounds 200
	go test -tags $(TAGS) -count=1 -run 'Crash|Fail|Restart|Recover|Corrupt|Disk' ./checkpoint ./egress ./internal/vfs

test-python: ## read state images with pyarrow and DuckDB, as checkpoint/FORMAT.md says
	test -x $(CACHE)/python/bin/python || python3 -m venv $(CACHE)/python
	$(CACHE)/python/bin/pip install --quiet pyarrow zstandard duckdb
	TIDEMILL_PYTHON=$(abspath $(CACHE)/python/bin/python) go test -tags $(TAGS) -count=1 -run Pyarrow ./checkpoint

spark-golden: ## ask Spark (Java 17) for the answers that tests compare with, see internal/spark/README.md: AREAS='string math'
	test -x $(CACHE)/spark/venv/bin/python || python3 -m venv $(CACHE)/spark/venv
	$(CACHE)/spark/venv/bin/pip install --quiet -r internal/spark/requirements.txt
	PYTHONDONTWRITEBYTECODE=1 $(CACHE)/spark/venv/bin/python internal/spark/golden.py $(AREAS)

bench: build ## run the workloads and the benchmarks: ARGS='--count 5 wordcount' BENCH=regexp PKG=./... COUNT=10
	bin/tidemill bench $(ARGS)
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) $(PKG)

bench-compare: ## compare benchmarks with those of another revision: BASE=main
	@test -n "$(BASE)" || { echo "say what to compare with: make bench-compare BASE=main" >&2; exit 2; }
	rm -rf $(CACHE)/base && mkdir -p $(CACHE)/base
	git archive $(BASE) | tar -x -C $(CACHE)/base
	cd $(CACHE)/base && go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) $(PKG) > ../base.txt
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) $(PKG) > $(CACHE)/head.txt
	$(BENCHSTAT) $(CACHE)/base.txt $(CACHE)/head.txt

bench-peers: build ## run DuckDB, Polars, Spark and Flink (Java 17) on the same inputs: PEERARGS='--scale 1 ysb' PEERS=duckdb,polars
	test -x $(CACHE)/peers/venv/bin/python || python3 -m venv $(CACHE)/peers/venv
	$(CACHE)/peers/venv/bin/pip install --quiet -r bench/peers/requirements.txt
	case '$(PEERS)' in *flink*) test -x $(FLINK) || python3 -m venv $(CACHE)/peers/flink-venv; \
		$(FLINK) -m pip install --quiet -r bench/peers/requirements-flink.txt;; esac
	bin/tidemill bench --dir $(CACHE)/peers/inputs --json $(CACHE)/peers/report.json $(PEERARGS)
	FLINK_PYTHON=$(FLINK) $(CACHE)/peers/venv/bin/python bench/peers/peers.py --peers '$(PEERS)' $(CACHE)/peers/report.json

fmt: $(LINTER) ## format the code
	$(LINTER) fmt ./...

tidy: ## tidy go.mod
	go mod tidy

generate: ## run the generators
	go generate ./...

check: fmt tidy generate clean-tree test race lint ## what a change must pass: formatted, tidy, tested, linted

# A step before this one must not have changed anything.
clean-tree:
	git diff --exit-code
