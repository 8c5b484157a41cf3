"""Train a random forest."""

import pickle
from pathlib import Path

import pandas as pd
import yaml
from sklearn.ensemble import RandomForestClassifier


def main() -> None:
    """Write models/model.pkl."""
    params = yaml.safe_load(Path("params.yaml").read_text())["model_building"]
    train = pd.read_csv("data/processed/train.csv")
    X, y = train.iloc[:, :-1].to_numpy(), train.iloc[:, -1].to_numpy()
    model = RandomForestClassifier(**params)
    model.fit(X, y)
    Path("models").mkdir(exist_ok=True)
    with Path("models/model.pkl").open("wb") as file:
        pickle.dump(model, file)


if __name__ == "__main__":
    main()
