"""scikit-learn's networks, faster: a pipeline and a grid search with one line changed.

In place of

    from sklearn.neural_network import MLPClassifier, MLPRegressor

write

    from fastbp.interop.sklearn import MLPClassifier, MLPRegressor

Here the same search runs with both libraries. It chooses the same parameters and reaches the same scores, because the
models are the same: initial weights, order of samples and updates agree up to rounding.
"""

import time

import sklearn.neural_network
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastbp.interop.sklearn

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
grid = {"mlpclassifier__hidden_layer_sizes": [(4,), (16,)], "mlpclassifier__alpha": [1e-4, 1e-1]}

for module in (sklearn.neural_network, fastbp.interop.sklearn):
    network = module.MLPClassifier(learning_rate_init=0.01, max_iter=500, tol=1e-3, random_state=0)
    search = GridSearchCV(make_pipeline(StandardScaler(), network), grid, cv=3)

    start = time.perf_counter()
    search.fit(X_train, y_train)
    seconds = time.perf_counter() - start

    print(module.__name__)
    print("  chosen:", search.best_params_)
    print(f"  accuracy in cross-validation {search.best_score_:.4f}")
    print(f"  accuracy on the test data    {search.score(X_test, y_test):.4f}")
    print(f"  {seconds:.2f} s")
