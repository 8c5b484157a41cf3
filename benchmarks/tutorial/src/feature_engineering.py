"""Turn the text into TF-IDF features."""

from pathlib import Path

import pandas as pd
import yaml
from sklearn.feature_extraction.text import TfidfVectorizer


def main() -> None:
    """Write data/processed/train.csv and test.csv."""
    params = yaml.safe_load(Path("params.yaml").read_text())["feature_engineering"]
    train = pd.read_csv("data/interim/train.csv").fillna("")
    test = pd.read_csv("data/interim/test.csv").fillna("")
    vectorizer = TfidfVectorizer(max_features=params["max_features"])
    X_train = vectorizer.fit_transform(train["text"])
    X_test = vectorizer.transform(test["text"])
    folder = Path("data/processed")
    folder.mkdir(parents=True, exist_ok=True)
    for X, df, name in ((X_train, train, "train.csv"), (X_test, test, "test.csv")):
        features = pd.DataFrame(X.toarray())
        features["label"] = df["target"]
        features.to_csv(folder / name, index=False)


if __name__ == "__main__":
    main()
