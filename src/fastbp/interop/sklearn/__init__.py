"""scikit-learn's MLPClassifier and MLPRegressor with the arithmetic done by a fastbp network (docs/sklearn.md).

The classes are subclasses of scikit-learn's: arguments, checks, labels, attributes, warnings, lbfgs and sparse data are
inherited. What is replaced forms layers, in which each file subclasses the one before or helps it:

- `versions.py`: how the versions of scikit-learn differ.
- `perceptron.py`: the network that owns the parameters; outputs; loss and gradient for lbfgs.
- `descent.py`: the epochs of the stochastic solvers; `optimizers.py`: their optimizers, at rest and compiled.
- `fast_path.py`: predict and partial_fit without scikit-learn's checks, where these could find nothing.
- `estimators.py`: the two classes; `onnx.py`: what skl2onnx has to know about them.

Two are apart from these: `convert.py`, networks from estimators, scikit-learn's own too, and back; `ensemble.py`,
estimators of many networks, which fastbp's Population trains.
"""

import warnings

try:
    import sklearn
except ImportError as error:
    raise ImportError(f'fastbp.interop.sklearn needs scikit-learn: pip install "fastbp[sklearn]" ({error})') from error

# The oldest and the newest scikit-learn that the tests pass with (noxfile.py).
OLDEST, NEWEST = (1, 5), (1, 9)
installed = tuple(map(int, sklearn.__version__.split(".")[:2]))
if installed < OLDEST:
    raise ImportError("fastbp.interop.sklearn needs scikit-learn 1.5 or later, but this is "
                      f'{sklearn.__version__}: pip install "fastbp[sklearn]"')

consequence = "check that its models are those of sklearn.neural_network"
try:
    from fastbp.interop.sklearn.estimators import MLPClassifier, MLPRegressor
    from fastbp.interop.sklearn.onnx import register_onnx_converters
except (ImportError, AttributeError) as error:
    if installed <= NEWEST:
        raise
    # A private name of scikit-learn's is gone. A program that imports these classes still runs, but slower.
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    def register_onnx_converters():
        """skl2onnx knows scikit-learn's own classes."""

    consequence = f"the two do not fit together ({error}), so these are the classes of sklearn.neural_network"
if installed > NEWEST:
    warnings.warn(f"fastbp.interop.sklearn was tested with scikit-learn 1.5 to 1.9, but this is {sklearn.__version__}: "
                  f"{consequence}; or pip install \"scikit-learn<1.10\"", stacklevel=2)

__all__ = ["MLPClassifier", "MLPEnsembleClassifier", "MLPEnsembleRegressor", "MLPRegressor", "from_sklearn",
           "register_onnx_converters", "to_sklearn"]


def __getattr__(name):
    # Imported when they are asked for: whoever trains one network need not wait for scikit-learn's pipelines,
    # transformers and preprocessing, nor for populations.
    if name in ("from_sklearn", "to_sklearn"):
        from fastbp.interop.sklearn import convert
        return getattr(convert, name)
    if name in ("MLPEnsembleClassifier", "MLPEnsembleRegressor"):
        from fastbp.interop.sklearn import ensemble
        return getattr(ensemble, name)
    raise AttributeError(f"module 'fastbp.interop.sklearn' has no attribute {name!r}")
