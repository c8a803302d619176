"""Pictures of networks, of what they learn and of how (extra ``plot``), in the manner of scikit-learn's displays."""

from fastbp.plot.network import NetworkDisplay

__all__ = ["NetworkDisplay"]
