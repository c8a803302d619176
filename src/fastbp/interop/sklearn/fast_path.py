"""Predictions and partial_fits without scikit-learn's checks, where these could find nothing.

A single row takes microseconds in the core and a millisecond in the checks. They are skipped where the array is such
that they would pass it on as it is; anything else goes through all of them, and gets scikit-learn's own words.
"""

from math import isfinite
from operator import is_

import numpy as np
from sklearn import get_config
from sklearn.utils import check_random_state, shuffle

from fastbp.divergence import DivergenceError
from fastbp.interop.sklearn.descent import NON_FINITE, DescendingPerceptron
from fastbp.training.fit import checked_callbacks


class FastPerceptron(DescendingPerceptron):
    """With a fast path through predict and partial_fit."""

    _checked = None         # the arguments with which a partial_fit can do without checks

    def __getstate__(self):
        state = super().__getstate__()
        state.pop("_checked", None)
        return state

    def _fit(self, X, y, sample_weight=None, incremental=False):
        # Whatever was so may not be so any more, above all where an exception ends this one.
        self._checked = None
        return super()._fit(X, y, sample_weight=sample_weight, incremental=incremental)

    def _is_ready(self, X):
        """Whether scikit-learn's checks of X could find nothing, except for numbers that are not finite."""
        net = self._net
        return (net is not None and type(X) is np.ndarray and X.ndim == 2 and X.dtype == net.dtype
                and X.shape[1] == net.n_inputs and len(X) > 0 and X.flags.c_contiguous
                and "feature_names_in_" not in self.__dict__ and self._is_live())

    def _fast_outputs(self, X):
        """The outputs without scikit-learn's checks, or None where these are needed."""
        # A product with itself warns of nothing; where it overflows, scikit-learn looks at the numbers one by one.
        return self._net.predict(X) if self._is_ready(X) and isfinite(np.vdot(X, X)) else None

    def _check_arguments(self):
        """Before a partial_fit the checks of arguments that scikit-learn makes in the first one only."""
        if not get_config()["skip_parameter_validation"]:
            self._validate_params()

    def _remember(self):
        """After a partial_fit with all checks: the arguments with which the next can do without."""
        refused = (self._compiled is None or self.solver == "lbfgs" or self.warm_start
                   or getattr(self, "class_weight", None) is not None or hasattr(self, "feature_names_in_"))
        self._checked = None if refused else self.get_params(deep=False)

    def _fast_step(self, X, y):
        """A partial_fit without scikit-learn's checks; False, and nothing done, where these are needed."""
        if (self._checked is None or type(y) is not np.ndarray or not self._is_ready(X)
                or not all(map(is_, self._checked.values(), map(self.__dict__.get, self._checked)))):
            return False
        if checked_callbacks(self.callbacks):
            return False        # of a list, which may have changed in place
        if self.batch_size != "auto" and self.batch_size > len(X):
            return False
        targets = self._fast_targets(y)
        if targets is None:
            return False
        try:
            samples = self._net._samples(X, targets)
        except ValueError:
            return False        # wrong length, or not finite: scikit-learn has the words for it
        order = None
        if self.shuffle and samples.m > 1:
            self._random_state = check_random_state(self.random_state)
            order = shuffle(np.arange(samples.m, dtype=np.intp), random_state=self._random_state)
        self.n_iter_ = 0
        try:
            error, _ = self._epoch(samples, order, self._batch(samples.m))
        except DivergenceError as error:
            raise ValueError(NON_FINITE) from error
        self._end_epoch(error, samples)
        return True
