"""What the rest may take for granted, whatever the version of scikit-learn.

The private methods that are overridden are those of 1.7 to 1.9. Before 1.7 scikit-learn's networks have neither
`sample_weight` nor the loss "poisson"; before 1.6 checking data is a method. All of that is made up for here.
"""

from functools import wraps

from sklearn.neural_network._base import LOSS_FUNCTIONS
from sklearn.neural_network._multilayer_perceptron import BaseMultilayerPerceptron
from sklearn.utils import validation

# The losses that scikit-learn's networks can compute themselves, and whether they can weigh samples.
LOSSES = frozenset(LOSS_FUNCTIONS)
HAS_WEIGHTS = validation.has_fit_parameter(BaseMultilayerPerceptron, "sample_weight")


def validate_data(estimator, X, **checks):
    if hasattr(validation, "validate_data"):
        return validation.validate_data(estimator, X, **checks)
    return estimator._validate_data(X, **checks)


if HAS_WEIGHTS:
    Perceptron = BaseMultilayerPerceptron

    def given_weights(method):
        return method

else:
    class Perceptron(BaseMultilayerPerceptron):
        """scikit-learn's base class with the methods of 1.7.

        Its own methods do not hand `sample_weight` on, so the estimator keeps it from `fit` to its end. They are never
        asked to train with weights themselves (`CompiledPerceptron._dense`).
        """

        _passing = None     # sample_weight

        def fit(self, X, y, sample_weight=None):
            return self._with_weights(sample_weight, super().fit, X, y)

        def partial_fit(self, X, y, sample_weight=None, **classes):
            return self._with_weights(sample_weight, super().partial_fit, X, y, **classes)

        def _with_weights(self, sample_weight, method, *arguments, **keywords):
            self._passing = sample_weight
            try:
                return method(*arguments, **keywords)
            finally:
                del self._passing

        def _fit(self, X, y, sample_weight=None, incremental=False):
            return super()._fit(X, y, incremental=incremental)

        def _validate_input(self, X, y, incremental, reset):
            X, y = super()._validate_input(X, y, incremental, reset)
            if self._passing is not None:
                self._passing = validation._check_sample_weight(self._passing, X)
            return X, y

        if not hasattr(BaseMultilayerPerceptron, "__sklearn_tags__"):
            def _more_tags(self):
                # Up to 1.5, a class without tags of its own has the defaults, which would override scikit-learn's here.
                return {"requires_y": True}

        def _initialize(self, y, layer_units, dtype):
            super()._initialize(y, layer_units, dtype)
            if self.loss == "poisson":
                self.out_activation_ = "exp"
            self._best_coefs = [W.copy() for W in self.coefs_]
            self._best_intercepts = [b.copy() for b in self.intercepts_]

        def _fit_stochastic(self, X, y, sample_weight, *others):
            super()._fit_stochastic(X, y, *others)

        def _fit_lbfgs(self, X, y, sample_weight, *others):
            self._passing = sample_weight       # times the weights of the classes
            super()._fit_lbfgs(X, y, *others)

        def _backprop(self, X, y, sample_weight, *others):
            return super()._backprop(X, y, *others)

    def given_weights(method):
        """Give a method that scikit-learn calls the sample_weight after X and y, which scikit-learn leaves out."""
        @wraps(method)
        def called_without(self, X, y, *others):
            return method(self, X, y, self._passing, *others)

        return called_without
