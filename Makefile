# Commands of a developer. `make verify` is all that is too long for CI.
LINTER := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
BIN    := $(CURDIR)/.cache/bin
GO     := go
# ONNX's backend tests: Debian's libonnx-testdata, or a folder of the same layout.
ONNX_TESTS ?= /usr/share/libonnx-testdata/data

.PHONY: lint generate conform reports verify everything accuracy selftest mutants fuzz onnxruntime

$(BIN)/golangci-lint:
	GOBIN=$(BIN) $(GO) install $(LINTER)

lint: $(BIN)/golangci-lint
	$(BIN)/golangci-lint run ./...

generate:
	$(GO) generate ./...

clsbench: FORCE
	$(GO) build -o $@ ./cmd/clsbench
FORCE:

# The suites of every backend that this machine can run: cpu's best path whole,
# its other paths quick. One seed, so that a change is judged on the same data as
# the one before it; `make verify` draws fresh ones.
conform: clsbench
	./clsbench conform --backend reference --effort quick --seed 1
	./clsbench conform --backend cpu --seed 1
	./clsbench conform --backend cpu:isa=avx2 --effort quick --seed 1
	./clsbench conform --backend cpu:isa=generic --effort quick --seed 1
	for b in reference cpu; do ./clsbench conform --backend $$b --onnx $(ONNX_TESTS) || exit 1; done
	./clsbench conform --backend 'python=exec:/usr/bin/python3 backends/plugin/testdata/plugin.py' --suite protocol
	./clsbench conform --backend 'python=exec:/usr/bin/python3 backends/plugin/testdata/plugin.py' --effort quick --seed 1 \
		--filter '^(Add|Mul|Neg|Relu|Gemm|MatMul)/f(16|32)/.*/(structure|mantissa|accumulator|real|specials)$$'

# Exported models in ONNX Runtime, whose library npm's package holds: its install
# script would only fetch what other processors need.
onnxruntime:
	npm install --no-save --ignore-scripts --prefix .cache/onnxruntime onnxruntime-node@1.30.0
	$(GO) test ./workloads -run ONNXRuntime -count=1 -onnxruntime $(CURDIR)/.cache/onnxruntime

# Our own reports, anew: the suites have changed.
reports: clsbench
	./clsbench conform --backend cpu --seed 1 --out conformance/reports/cpu.json
	./clsbench conform --backend reference --effort quick --seed 1 --out conformance/reports/reference.json

# All that does not fit into CI; its dated log is kept beside the reports.
verify: SHELL := /bin/bash
verify:
	mkdir -p conformance/reports
	set -o pipefail; { date -u +%FT%TZ; git rev-parse HEAD; lscpu | grep 'Model name'; time $(MAKE) --no-print-directory everything; } 2>&1 \
		| tee conformance/reports/verify-$$(date -u +%F).log

everything: conform selftest
	./clsbench conform --backend cpu --threads 1
	for isa in avx2 generic; do for n in 1 2; do \
		./clsbench conform --backend cpu:isa=$$isa --threads $$n --effort quick || exit 1; done; done
	CGO_ENABLED=1 $(GO) test -race -count=1 -timeout 60m ./backends/... ./internal/... ./workloads/... ./conformance/protocol
	$(MAKE) accuracy
	$(MAKE) fuzz
	$(MAKE) mutants

# Do the networks for small images reach their targets, in 8 bits too?
accuracy:
	$(GO) test ./workloads -run '^$$' -bench Accuracy -benchtime 1x -timeout 2h

# Does the suite catch every planted fault and pass every legal variant?
selftest: clsbench
	./clsbench conform --self-test --effort quick

# Every mutant of the reference and of cpu's portable kernels; cut off, it goes
# on where it stopped. Start a new MUTANT_LOG after changes.
MUTANT_LOG ?= $(CURDIR)/.cache/mutants.log
mutants:
	mkdir -p $(dir $(MUTANT_LOG))
	$(GO) test -timeout 300m ./conformance/faults -run 'Mutants$$' -v -mutants -1 -mutant-log $(MUTANT_LOG)

# Every fuzz target for a while.
fuzz:
	for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
		$(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 20s -fuzzminimizetime 10x $$p || exit 1; done; done

# What the reference makes of whole networks: an hour of two quiet cores for all,
# so that what has not changed is left out by GOLDENS, a pattern of file names.
GOLDENS ?= .
GOLDEN_SEEDS ?= 1
.PHONY: goldens
goldens:
	$(GO) test ./conformance -run TestWriteGoldens -timeout 24h -v -goldens '$(GOLDENS)' -goldens-seeds $(GOLDEN_SEEDS)
