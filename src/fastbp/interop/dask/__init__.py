"""Training on data and machines beyond one process, by Dask (docs/scale.md).

- `rows.py`: what X and T may be, as Dask arrays in blocks of a fixed number of rows.
- `cluster.py`: what is asked of workers before they are sent work, and what their failures are called.
- `sums.py`: errors, gradients and J^T J as sums over blocks, added in a fixed tree.
- `fit.py`: training by these sums; `predict.py`: lazy predictions; `sweep.py`: many networks.
"""

try:
    import dask.array  # noqa: F401
except ImportError as error:
    raise ImportError(f'fastbp.interop.dask needs Dask: pip install "fastbp[dask]" ({error})') from error

from fastbp.interop.dask.fit import fit
from fastbp.interop.dask.predict import predict
from fastbp.interop.dask.sweep import map_networks

__all__ = ["fit", "map_networks", "predict"]
