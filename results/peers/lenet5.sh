#!/usr/bin/env bash
# LeNet-5 training, batch 64, in alternation: the cpu backend through Run, then
# PyTorch at its best setting here. One line a round: cpu, PyTorch with two
# threads (channels last, contiguous) and with one, images/s.
set -euo pipefail
cd "$(dirname "$0")/../.."
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE # presets that hold the peer back; its OpenBLAS wants libopenblas0-openmp
# glibc gives every freed activation back to the kernel and faults its pages in
# again, which costs PyTorch two thirds of its rate on a virtual machine.
export MALLOC_TRIM_THRESHOLD_=10000000000 MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TOP_PAD_=268435456
bench=$(mktemp)
trap 'rm -f "$bench"' EXIT
go test -c -o "$bench" ./backends/cpu
torch() { /usr/bin/python3 results/peers/lenet5_pytorch.py --seconds 1 "$@"; }
for _ in $(seq "${1:-6}"); do
	ours=$("$bench" -test.run '^$' -test.bench 'LeNet/avx512/train/b64/threads=2' -test.benchtime 1s | awk '/Benchmark/ {for (i = 2; i < NF; i++) if ($(i+1) == "images/s") print $i}')
	echo "$ours $(torch) $(torch --layout contiguous) $(torch --threads 1)"
done
