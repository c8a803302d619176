"""What skl2onnx has to know about the estimators: that scikit-learn's converters are theirs too."""

from fastbp.interop.sklearn.estimators import MLPClassifier, MLPRegressor
from fastbp.interop.sklearn.perceptron import ACTIVATIONS


def register_onnx_converters():
    """Make skl2onnx convert these estimators, alone and as steps of a pipeline, as it does scikit-learn's.

    Once in a process is enough, before `skl2onnx.to_onnx`. Importing this package does not do it, because importing
    skl2onnx takes seconds.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    Notes
    -----
    Converting raises a ValueError for what skl2onnx cannot write: an activation that scikit-learn does not have, one
    for each layer, the output activation "exp" (of the loss "poisson"), and several outputs of a regressor, which it
    would put in one column.

    Examples
    --------
    With skl2onnx installed::

        register_onnx_converters()
        model = skl2onnx.to_onnx(estimator, X[:1], options={"zipmap": False})
    """
    try:
        from skl2onnx import update_registered_converter
        from skl2onnx.common.shape_calculator import (
            calculate_linear_classifier_output_shapes,
            calculate_linear_regressor_output_shapes,
        )
        from skl2onnx.operator_converters.multilayer_perceptron import (
            convert_sklearn_mlp_classifier,
            convert_sklearn_mlp_regressor,
        )
    except ImportError as error:
        raise ImportError(f"register_onnx_converters needs skl2onnx: pip install skl2onnx ({error})") from error

    # The options are those of skl2onnx for scikit-learn's MLPClassifier.
    update_registered_converter(
        MLPClassifier, "FastbpMLPClassifier", calculate_linear_classifier_output_shapes,
        checked(convert_sklearn_mlp_classifier),
        options={"zipmap": [True, False, "columns"], "output_class_labels": [False, True], "nocl": [True, False]})
    update_registered_converter(
        MLPRegressor, "FastbpMLPRegressor", calculate_linear_regressor_output_shapes,
        checked(convert_sklearn_mlp_regressor))


def checked(convert):
    """The converter, made to refuse what it would get wrong."""
    def convert_checked(scope, operator, container):
        estimator = operator.raw_operator
        if estimator.activation not in ACTIVATIONS:
            raise ValueError(f"skl2onnx converts estimators with one activation of {', '.join(ACTIVATIONS)} for all "
                             f"hidden layers, but this one has {estimator.activation!r}")
        if estimator.out_activation_ == "exp":
            raise ValueError('skl2onnx does not convert the loss "poisson", because it has no output activation "exp"')
        if not hasattr(estimator, "classes_") and estimator.n_outputs_ > 1:
            raise ValueError(f"skl2onnx converts regressors with one output, but this one has {estimator.n_outputs_}")
        convert(scope, operator, container)

    return convert_checked
