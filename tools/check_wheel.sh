#!/usr/bin/env bash
# Builds the sdist without git and the wheel from it, and checks both: metadata, contents, symbols, size. Then installs
# the wheel into a fresh environment and runs the tests that every wheel runs. Needs "pip install build twine
# check-wheel-contents auditwheel". Copies both to a directory if one is given.
set -euo pipefail
tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH FASTBP_ISA FASTBP_DEBUG FASTBP_SANITIZE
limit=970000    # bytes; docs/wheels.md says what takes them, and why it is not 400000

mkdir "$work/tree"
tar -C "$tree" --exclude .git --exclude build --exclude '*.so' --exclude '*.egg-info' -c . | tar -C "$work/tree" -x
"$python" -m build --outdir "$work/dist" "$work/tree" # the wheel from the sdist
wheel=$(echo "$work"/dist/*.whl)
"$python" -m twine check --strict "$work"/dist/*
"$python" -m check_wheel_contents "$wheel"
"$python" -m auditwheel show "$wheel"
size=$(stat -c %s "$wheel")
echo "$size bytes, at most $limit wanted"
((size <= limit))

tar -C "$work" -xf "$work"/dist/*.tar.gz
"$python" -m venv "$work/fresh"
"$work/fresh/bin/pip" install -q "$wheel" pytest
cd "$work"/fastbp-*/    # the tests of the sdist; its src/ is not imported from here
"$work/fresh/bin/python" -m pytest -q tests/test_minimal.py tests/test_wheel.py
tools/check_isa.sh "$work"/fresh/lib/python*/site-packages/fastbp
if (($#)); then
    mkdir -p "$tree/$1"
    cp "$work"/dist/* "$tree/$1"
fi
