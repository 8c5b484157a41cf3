"""Load the messages and split them into a training and a test set."""

import csv
from pathlib import Path

import pandas as pd
import yaml
from sklearn.model_selection import train_test_split


def main() -> None:
    """Write data/raw/train.csv and test.csv."""
    params = yaml.safe_load(Path("params.yaml").read_text())["data_ingestion"]
    df = pd.read_csv(
        "messages.tsv", sep="\t", header=None, names=["target", "text"], quoting=csv.QUOTE_NONE
    )
    train, test = train_test_split(df, test_size=params["test_size"], random_state=2)
    folder = Path("data/raw")
    folder.mkdir(parents=True, exist_ok=True)
    train.to_csv(folder / "train.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)


if __name__ == "__main__":
    main()
