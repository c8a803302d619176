#!/usr/bin/env bash
# What docs/reliability.md records, again: tools/reliability.sh [sanitizers|threads|valgrind|stress|fuzz]..., by default
# all, some forty minutes on one core. It needs gcc, valgrind and `pip install ".[dev]"`; the fuzzer needs atheris too.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset FASTBP_ISA FASTBP_DEBUG FASTBP_SANITIZE
export OPENBLAS_NUM_THREADS=1

# A clone of its own for each build, because compiled files are not made anew when only a flag has changed.
build() { # sanitizers
    git clone --quiet "$root" "$work/$1"
    cd "$work/$1"
    FASTBP_SANITIZE=${1#plain} "$python" setup.py --quiet build_ext --inplace
    export PYTHONPATH=$work/$1/src
}
suite() { "$python" -m pytest -q -p no:cacheprovider "$@"; }
library() { gcc -print-file-name="lib$1.so"; }

sanitizers() {
    build address,undefined
    # Limits of memory and preloaded sanitizers do not go together, so not test_no_memory.
    LD_PRELOAD="$(library asan) $(library ubsan)" ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 \
        UBSAN_OPTIONS=halt_on_error=1 suite --ignore tests/test_bench.py --ignore tests/test_sklearn.py \
        --ignore tests/test_leaks.py -k "not test_no_memory"
}
threads() {
    build thread
    # Without random addresses, which gcc 12's runtime cannot cope with. It exits with 66 after a report.
    LD_PRELOAD=$(library tsan) setarch -R "$python" -m pytest -q -p no:cacheprovider tests/test_threads.py
}
memcheck() {
    build plain
    # valgrind knows AVX2 at best. CPython's own reports (docs/reliability.md) have no frame of fastbp.
    PYTHONMALLOC=malloc FASTBP_ISA=${1:-x86_v3} valgrind --quiet --num-callers=40 --log-file="$work/memcheck" \
        "$python" -m pytest -q -p no:cacheprovider tests/test_minimal.py
    if grep -n fastbp "$work/memcheck"; then cat "$work/memcheck" && exit 1; fi
}
stress() {
    build plain
    FASTBP_STRESS=50 suite -s tests/test_faults.py
    FASTBP_STRESS=50 suite -s tests/test_threads.py -k one_set
    FASTBP_STRESS=25 suite tests/test_state_machine.py tests/test_corpus.py
    FASTBP_STRESS=500 suite tests/test_numbers.py -k end_to_end
    FASTBP_STRESS=5 suite tests/test_leaks.py
}
fuzz() {
    build plain
    PYTHONWARNINGS=ignore "$python" tests/fuzz_loaders.py "$work/corpus" -max_total_time=600 -max_len=4096
}

(($#)) || set -- sanitizers threads valgrind stress fuzz
for session; do
    printf '\n=== %s\n' "$session"
    [[ $session == valgrind ]] && session=memcheck
    ("$session")
done
