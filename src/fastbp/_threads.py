"""How many threads a call may use: the process's number, and threadpoolctl's access to it."""

import os
import sys

from fastbp import _core
from fastbp._version import __version__


def set_num_threads(n: int) -> None:
    """Let calls share long work among up to n threads by default; the initial 1 means that no thread is started.

    Results do not depend on n. The environment variable FASTBP_NUM_THREADS sets it at import. threadpoolctl sees and
    limits it once this function has been called, or if threadpoolctl was imported before fastbp.

    Parameters
    ----------
    n : int
        From 1 to 256.

    Raises
    ------
    ValueError, TypeError
        If n is not an integer from 1 to 256.

    Examples
    --------
    >>> import fastbp
    >>> fastbp.set_num_threads(2)
    >>> fastbp.get_num_threads()
    2
    >>> fastbp.set_num_threads(1)
    """
    _core.set_num_threads(_core.thread_count("n", n))
    register()


def register():
    """Tell threadpoolctl of fastbp, if it is installed; once."""
    global _registered
    if _registered:
        return
    try:
        import threadpoolctl
    except ImportError:
        return
    _registered = True

    class FastbpController(threadpoolctl.LibController):
        user_api = internal_api = "fastbp"
        filename_prefixes = (os.path.basename(_core.__file__).lower(),)
        check_symbols = ("fastbp_num_threads",)     # other packages may have a module of this name, too

        def get_num_threads(self):
            return _core.get_num_threads()

        def set_num_threads(self, num_threads):
            _core.set_num_threads(num_threads)

        def get_version(self):
            return __version__

    threadpoolctl.register(FastbpController)


_registered = False
if os.environ.get("FASTBP_NUM_THREADS"):
    try:
        set_num_threads(int(os.environ["FASTBP_NUM_THREADS"]))
    except ValueError as error:
        raise ImportError(f"FASTBP_NUM_THREADS: {error}") from None
elif "threadpoolctl" in sys.modules:
    register()
