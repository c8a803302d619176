"""predict and partial_fit without scikit-learn's checks, where these could find nothing.

A single row takes microseconds in the core and a millisecond in the checks. They are skipped for an array that they
would pass on unchanged; anything else goes through all of them, and gets scikit-learn's own errors.
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

    _checked = None         # the arguments with which a partial_fit needs no checks

    def __getstate__(self):
        state = super().__getstate__()
        state.pop("_checked", None)
        return state

    def _fit(self, X, y, sample_weight=None, incremental=False):
        # What was checked may no longer hold, above all where an exception ends this fit.
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
        # vdot gives no warnings; where it overflows, scikit-learn looks at the numbers one by one.
        return self._net.predict(X) if self._is_ready(X) and isfinite(np.vdot(X, X)) else None

    def _check_arguments(self):
        """Check the arguments before every partial_fit, which scikit-learn does before the first one only."""
        if not get_config()["skip_parameter_validation"]:
            self._validate_params()

    def _remember(self):
        """After a partial_fit with all checks, keep the arguments with which the next one needs none."""
        refused = (self._compiled is None or self.solver == "lbfgs" or self.warm_start
                   or getattr(self, "class_weight", None) is not None or hasattr(self, "feature_names_in_"))
        self._checked = None if refused else self.get_params(deep=False)

    def _fast_step(self, X, y):
        """A partial_fit without scikit-learn's checks; False, and nothing done, where these are needed."""
        if (self._checked is None or type(y) is not np.ndarray or not self._is_ready(X)
                or not all(map(is_, self._checked.values(), map(self.__dict__.get, self._checked)))):
            return False
        if checked_callbacks(self.callbacks):
            return False        # in a list, which may have changed in place
        if self.batch_size != "auto" and self.batch_size > len(X):
            return False
        targets = self._fast_targets(y)
        if targets is None:
            return False
        try:
            samples = self._net._samples(X, targets)
        except ValueError:
            return False        # wrong length, or not finite: scikit-learn raises its own error
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
