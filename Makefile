# Commands of a developer. `make verify` is all that is too long for CI.
LINTER := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
BIN    := $(CURDIR)/.cache/bin
GO     := go

.PHONY: lint generate conform verify

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
# its other paths quick.
conform: clsbench
	./clsbench conform --backend reference --effort quick
	./clsbench conform --backend cpu
	./clsbench conform --backend cpu:isa=avx2 --effort quick
	./clsbench conform --backend cpu:isa=generic --effort quick
	./clsbench conform --backend 'python=exec:/usr/bin/python3 backends/plugin/testdata/plugin.py' --suite protocol

verify: conform
	./clsbench conform --self-test
	$(GO) test -count=1 -timeout 60m -tags soak ./...
