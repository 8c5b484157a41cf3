"""The evaluation of each task."""

from evaluation import binary, multiclass, regression

EVALUATIONS = {
    "binary": binary.EVALUATION,
    "multiclass": multiclass.EVALUATION,
    "regression": regression.EVALUATION,
}
