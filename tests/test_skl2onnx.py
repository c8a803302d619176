"""Estimators of fastbp.interop.sklearn through skl2onnx, run by onnxruntime."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")
skl2onnx = pytest.importorskip("skl2onnx")
runtime = pytest.importorskip("onnxruntime")

from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn_pairs import DATA, recorded  # noqa: E402

from fastbp.interop import sklearn as ours  # noqa: E402


def fitted(name, **arguments):
    kind, X, y, more = DATA[name]
    estimator = getattr(ours, kind)(hidden_layer_sizes=(7, 4), random_state=1, max_iter=20, **more | arguments)
    recorded(lambda: estimator.fit(X, y))
    ours.register_onnx_converters()
    return estimator, X


def outputs(estimator, X, **arguments):
    model = skl2onnx.to_onnx(estimator, X[:1], **arguments)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"X": X})


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("name", ["binary", "multiclass"])
def test_classifiers(name, activation):
    estimator, X = fitted(name, activation=activation)
    labels, probabilities = outputs(estimator, X, options={"zipmap": False})
    np.testing.assert_array_equal(labels, estimator.predict(X))
    np.testing.assert_allclose(probabilities, estimator.predict_proba(X), rtol=1e-9)
    labels, dictionaries = outputs(estimator, X.astype(np.float32))     # onnxruntime makes dictionaries of these only
    np.testing.assert_allclose([[row[key] for key in estimator.classes_] for row in dictionaries],
                               estimator.predict_proba(X), rtol=1e-4)


def test_a_regressor():
    estimator, X = fitted("regression")
    np.testing.assert_allclose(outputs(estimator, X)[0][:, 0], estimator.predict(X), rtol=1e-9)


def test_a_step_of_a_pipeline():
    _, X, y, _ = DATA["multiclass"]
    pipeline = make_pipeline(StandardScaler(), ours.MLPClassifier(max_iter=20, random_state=1))
    recorded(lambda: pipeline.fit(X, y))
    ours.register_onnx_converters()
    _, probabilities = outputs(pipeline, X, options={"zipmap": False})
    np.testing.assert_allclose(probabilities, pipeline.predict_proba(X), rtol=1e-9)


@pytest.mark.parametrize(("name", "arguments", "message"), [
    ("regression", {"activation": ["tanh", "gelu"]}, "one activation of .* for all hidden layers"),
    ("regression", {"activation": "gelu"}, "but this one has 'gelu'"),
    ("poisson", {}, "poisson"),
    ("three outputs", {}, "but this one has 3"),
])
def test_what_skl2onnx_cannot_write(name, arguments, message):
    estimator, X = fitted(name, **arguments)
    with pytest.raises(ValueError, match=message):
        outputs(estimator, X)


def test_nothing_is_imported_before_it_is_asked_for():
    code = "import sys, fastbp.interop.sklearn; assert not {'onnx', 'skl2onnx'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
