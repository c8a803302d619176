#!/usr/bin/env bash
# Runs the tests of the x86_v4 kernels on an AVX2 processor, each AVX-512 intrinsic emulated by SIMDe (Debian's
# libsimde-dev). It checks what the kernels compute, not the compiler's AVX-512 code. Needs a build in place
# (CONTRIBUTING.md), which it does not change.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# SIMDe stands in for the compiler's header. The sums of lanes are functions in gcc's, and SIMDe has none.
cat >"$work/immintrin.h" <<'HEADER'
#include_next <immintrin.h>
#ifndef EMULATED
#define EMULATED
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>
#define EMULATE_SUM(name, vector, lane) \
    static inline lane name(vector a) \
    { \
        lane lanes[sizeof a / sizeof(lane)], sum = 0; \
        __builtin_memcpy(lanes, &a, sizeof a); \
        for (unsigned i = 0; i < sizeof a / sizeof(lane); i++) sum += lanes[i]; \
        return sum; \
    }
EMULATE_SUM(emulated_sum_ps, __m512, float)
EMULATE_SUM(emulated_sum_pd, __m512d, double)
#define _mm512_reduce_add_ps emulated_sum_ps
#define _mm512_reduce_add_pd emulated_sum_pd
#endif
HEADER
cat >"$work/emulated.py" <<'PLUGIN'
import fastbp._core
fastbp._core.cpu_level = lambda: 4
PLUGIN

cp -R src/fastbp "$work/fastbp"
include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
suffix=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
for dtype in float32 float64; do
    double=$([[ $dtype == float64 ]] && echo 1 || echo 0)
    gcc -shared -fPIC -O2 -w -fno-math-errno -fno-trapping-math -ffp-contract=off -mavx2 -mfma \
        -DFASTBP_LEVEL=4 -DFASTBP_DOUBLE="$double" -I"$work" -Isrc/fastbp/_kernels -I"$include" \
        "build/cython/src/fastbp/_kernels/x86_v4_$dtype.c" -o "$work/fastbp/_kernels/x86_v4_$dtype$suffix"
done
# test_dispatch starts new processes, which are not emulated.
PYTHONPATH=$work "$python" -m pytest -p emulated -k x86_v4 --ignore tests/test_dispatch.py "$@"
