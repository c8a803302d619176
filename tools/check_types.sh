#!/usr/bin/env bash
# Runs mypy and pyright on tests/typing_check.py, and stubtest, which compares _core.pyi with the compiled core. They
# see the installed fastbp, as users do. Needs "pip install mypy pyright" in the same environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp tests/typing_check.py "$work"
cd "$work" # so that src/fastbp is not found instead
"$python" -m mypy --strict typing_check.py
"$python" -m pyright --pythonpath "$(command -v "$python")" typing_check.py
"$python" -m mypy.stubtest fastbp._core
