#!/usr/bin/env bash
# mypy and pyright on tests/typing_check.py, and stubtest: whether _core.pyi is what the compiled core has. The installed
# fastbp is looked at, as users do; needs "pip install mypy pyright" beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp tests/typing_check.py "$work"
cd "$work" # where no src/fastbp is found instead
"$python" -m mypy --strict typing_check.py
"$python" -m pyright --pythonpath "$(command -v "$python")" typing_check.py
"$python" -m mypy.stubtest fastbp._core
