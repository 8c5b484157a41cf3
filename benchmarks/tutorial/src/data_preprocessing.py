"""Encode the labels, drop duplicates and clean the text of each message."""

import string
from pathlib import Path

import nltk
import pandas as pd
from nltk.corpus import stopwords
from nltk.stem.porter import PorterStemmer
from sklearn.preprocessing import LabelEncoder

stemmer = PorterStemmer()


def transform_text(text: str) -> str:
    """Lower-case, tokenise, drop stop words and punctuation, and stem."""
    words = nltk.word_tokenize(text.lower())
    words = [
        word
        for word in words
        if word not in stopwords.words("english") and word not in string.punctuation
    ]
    return " ".join(stemmer.stem(word) for word in words)


def preprocess(df: pd.DataFrame) -> pd.DataFrame:
    """Return the table with numbers for labels and clean text."""
    df["target"] = LabelEncoder().fit_transform(df["target"])
    df = df.drop_duplicates(keep="first").copy()
    df["text"] = df["text"].apply(transform_text)
    return df


def main() -> None:
    """Write data/interim/train.csv and test.csv."""
    folder = Path("data/interim")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train.csv", "test.csv"):
        preprocess(pd.read_csv(f"data/raw/{name}")).to_csv(folder / name, index=False)


if __name__ == "__main__":
    main()
