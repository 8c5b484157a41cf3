"""Evaluate the model on the test set and log its metrics."""

import pickle
from pathlib import Path

import pandas as pd
from dvclive import Live
from sklearn.metrics import accuracy_score, precision_score, recall_score, roc_auc_score


def main() -> None:
    """Write dvclive/metrics.json."""
    with Path("models/model.pkl").open("rb") as file:
        model = pickle.load(file)  # noqa: S301
    test = pd.read_csv("data/processed/test.csv")
    X, y = test.iloc[:, :-1].to_numpy(), test.iloc[:, -1].to_numpy()
    predicted = model.predict(X)
    with Live() as live:
        live.log_metric("accuracy", accuracy_score(y, predicted))
        live.log_metric("precision", precision_score(y, predicted))
        live.log_metric("recall", recall_score(y, predicted))
        live.log_metric("auc", roc_auc_score(y, model.predict_proba(X)[:, 1]))


if __name__ == "__main__":
    main()
