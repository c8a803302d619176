"""scikit-learn's estimators against fastbp's of the same name: fit, and single rows; prints the ratios."""

import warnings

from fastbp.bench import measured, peers

peers.one_thread()  # before scikit-learn loads a BLAS

import numpy as np  # noqa: E402
from sklearn import __version__, datasets, neural_network  # noqa: E402

from fastbp.interop import sklearn as interop  # noqa: E402

X, y = datasets.load_digits(return_X_y=True)
CLASSES = np.arange(10)


def jobs(kind):
    """What is timed, by name; the models are fitted first."""
    fitted = kind(random_state=1).fit(X, y)
    learner = kind(random_state=1).partial_fit(X, y, classes=CLASSES)
    row, label = X[:1].copy(), y[:1].copy()
    return {
        "fit, digits, (100,), defaults": lambda: kind(random_state=1).fit(X, y),
        "partial_fit, one row": lambda: learner.partial_fit(row, label),
        "predict, one row": lambda: fitted.predict(row),
        "predict, all rows": lambda: fitted.predict(X),
    }, fitted


def main():
    warnings.simplefilter("ignore")     # that 200 epochs did not converge
    (ours, our_model), (theirs, their_model) = (jobs(module.MLPClassifier) for module in (interop, neural_network))
    for one, other in zip(our_model.coefs_, their_model.coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6 * abs(other).max())
    print(f"scikit-learn {__version__}; the fitted coefficients agree")
    for name in ours:
        rounds, _ = measured({"fastbp": ours[name], "scikit-learn": theirs[name]})
        seconds = {library: min(values) for library, values in rounds.items()}
        print(f"{name:<32}fastbp {seconds['fastbp'] * 1e6:12,.1f} us   scikit-learn "
              f"{seconds['scikit-learn'] * 1e6:12,.1f} us   {seconds['scikit-learn'] / seconds['fastbp']:6.1f} x")


if __name__ == "__main__":
    main()
