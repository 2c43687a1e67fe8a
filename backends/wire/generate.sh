#!/bin/sh
# Writes the Go code of the protocol and its descriptor set, from which plugins
# in dynamic languages build their classes, as the one in Python does. Needs protoc (Debian's
# protobuf-compiler, 3.21); the two generators are fetched at fixed versions.
set -eu
cd "$(dirname "$0")"
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOBIN="$bin" go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
GOBIN="$bin" go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
PATH="$bin:$PATH" protoc --proto_path=proto \
	--go_out=. --go_opt=module=github.com/clsbench/clsbench/backends/wire \
	--go-grpc_out=. --go-grpc_opt=module=github.com/clsbench/clsbench/backends/wire \
	--descriptor_set_out=proto/backend.binpb \
	clsbench/backend/v1/backend.proto
protoc --proto_path=../plugin/testdata --descriptor_set_out=../plugin/testdata/plugin.binpb plugin.proto
