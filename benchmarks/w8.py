"""W8: what an installation costs: the time of `import fastbp` beyond NumPy's, and the size of the wheel."""

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

REPEATS = 21


def import_milliseconds():
    """Median over fresh interpreters of `import fastbp` after `import numpy`."""
    code = "import numpy, time; t = time.perf_counter(); import fastbp; print(time.perf_counter() - t)"
    return 1e3 * median(float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(REPEATS))


def wheel_kilobytes():
    """Size of the wheel that pip builds from this tree."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(__file__).parent.parent
        words = ["pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, root]
        subprocess.run([sys.executable, "-m", *words], check=True)
        return next(Path(folder).glob("*.whl")).stat().st_size / 1e3


if __name__ == "__main__":
    print(f"import: {import_milliseconds():.1f} ms beyond NumPy's; wheel: {wheel_kilobytes():.0f} kB")
