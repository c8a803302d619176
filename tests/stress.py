"""How hard the tests of reliability try: FASTBP_STRESS multiplies every count and every time, 50 for the record."""

import os
import subprocess
import sys

STRESS = float(os.environ.get("FASTBP_STRESS", "1"))


def times(quick):
    return max(1, int(quick * STRESS))


def run(code, *arguments, timeout=600.0):
    """Run Python code in a child; what it printed. A child that crashed is an error with its output."""
    command = [sys.executable, "-W", "error", "-X", "faulthandler", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    print(done.stdout, end="")
    return done.stdout
