#!/usr/bin/env bash
# Runs the tests that every wheel runs on emulated x86-64 processors without AVX and with AVX2 only (Debian's
# qemu-user), and on the real one: each must choose its level and meet no illegal instruction. NumPy sets the lower
# limit: its wheels need x86-64-v2 from 2.4 on. PYTHON must have a wheel of fastbp and pytest installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../tests"
python=$(command -v "${PYTHON:-python}")
unset PYTHONPATH FASTBP_ISA OPENBLAS_CORETYPE # the last could make NumPy use what the processor lacks

# expect LEVEL COMMAND...: the command is a Python on which fastbp chooses the level.
expect() {
    local level=$1 chosen
    shift
    chosen=$("$@" -c 'from fastbp import _dispatch; print(*_dispatch.chosen())')
    echo "${*##*/}: $chosen"
    [[ $level == native || $chosen == "$level" ]] || { echo "expected $level" >&2; exit 1; }
    "$@" -m pytest -q -p no:cacheprovider test_minimal.py
}

expect baseline qemu-x86_64 -cpu Nehalem "$python"
expect baseline qemu-x86_64 -cpu max,-avx2 "$python"         # AVX, but not AVX2
expect baseline qemu-x86_64 -cpu max,-fma "$python"
expect x86_v3 qemu-x86_64 -cpu Haswell "$python"
expect native "$python"
../tools/check_isa.sh "$("$python" -c 'import fastbp; print(fastbp.__path__[0])')"
