"""scikit-learn's MLPClassifier and MLPRegressor with the arithmetic done by a fastbp network (docs/sklearn.md).

The classes are subclasses of scikit-learn's: arguments, checks, labels, attributes, warnings, lbfgs and sparse data are
inherited. What is replaced stands in layers, each file a subclass of the one before or a help to it:

- `perceptron.py`: the network that owns the parameters; outputs; loss and gradient for lbfgs.
- `descent.py`: the epochs of the stochastic solvers; `optimizers.py`: their optimizers, at rest and compiled.
- `fast_path.py`: predictions and partial_fits in which scikit-learn's checks could find nothing, without them.
- `estimators.py`: the two classes; `onnx.py`: what skl2onnx has to know about them.
"""

try:
    from fastbp.interop.sklearn.estimators import MLPClassifier, MLPRegressor
except ImportError as error:
    raise ImportError(f'fastbp.interop.sklearn needs scikit-learn: pip install "fastbp[sklearn]" ({error})') from error
from fastbp.interop.sklearn.onnx import register_onnx_converters

__all__ = ["MLPClassifier", "MLPRegressor", "register_onnx_converters"]
