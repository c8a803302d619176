"""Pictures of networks, of what they learn and of how (extra ``plot``), in the manner of scikit-learn's displays.

A display keeps its numbers as attributes. A class method ``from_...`` computes them, and ``plot`` draws them: into the
axes that it is given, or into a new figure. docs/pictures.md shows them all.
"""

from fastbp.plot import _style  # noqa: F401 - the first, because it says what to install without Matplotlib
from fastbp.plot.animation import NetworkAnimation
from fastbp.plot.decision import DecisionDisplay
from fastbp.plot.gradient_flow import GradientFlowDisplay
from fastbp.plot.hidden import HiddenSpaceDisplay
from fastbp.plot.history import HistoryDisplay
from fastbp.plot.network import NetworkDisplay
from fastbp.plot.response import ResponseDisplay
from fastbp.plot.weights import WeightsDisplay

__all__ = ["DecisionDisplay", "GradientFlowDisplay", "HiddenSpaceDisplay", "HistoryDisplay", "NetworkAnimation",
           "NetworkDisplay", "ResponseDisplay", "WeightsDisplay"]
