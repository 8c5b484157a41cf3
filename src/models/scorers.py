"""Scikit-learn's scorers, told which label is the positive one."""

from collections.abc import Callable

from sklearn.metrics import get_scorer, make_scorer

# Scores that need to know which label is the positive one.
LABEL_SCORES = ("precision", "recall", "f1", "average_precision")


def build_scorer(scoring: str, positive: str) -> Callable[..., float]:
    """Return scikit-learn's scorer of that name, told which label is the positive one."""
    scorer = get_scorer(scoring)
    if scoring not in LABEL_SCORES:
        return scorer
    is_ranking = scoring == "average_precision"
    response = ("decision_function", "predict_proba") if is_ranking else "predict"
    return make_scorer(scorer._score_func, response_method=response, pos_label=positive)
