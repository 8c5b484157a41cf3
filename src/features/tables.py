"""Turn the typed columns of a table into numbers: categories, ordinals, dates, missing values."""

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import TargetEncoder

from records.tables import name_tokens
from text.normalise import normalise_text
from text.tokens import Stemmer, StopWords, build_tokeniser

# In how many parts the training rows are divided for target encoding: a row gets the mean of the
# other parts, which its own target has no influence on.
N_PARTS = 5
# What a date is split into: how to read it, and where its circle begins and how long it is.
DATE_PARTS = {
    "year": ("year", None),
    "month": ("month", (1, 12)),
    "weekday": ("day_of_week", (0, 7)),
    "day": ("day", (1, 31)),
    "hour": ("hour", (0, 24)),
}


def prepare_rows(
    df: pd.DataFrame,
    texts: Sequence[str],
    lowercase: bool,
    stemmer: Stemmer,
    stop_words: StopWords,
) -> pd.DataFrame:
    """Normalise the text columns of a table as received, and add the tokens of each.

    It is the first step of every saved model of a table, as ``prepare_messages`` is of messages.
    """
    if not texts:
        return df
    tokenise = build_tokeniser(lowercase, stemmer, stop_words)
    added: dict[str, pd.Series] = {}
    for column in texts:
        normalised = [normalise_text(text) for text in df[column].fillna("")]
        tokens = [tokenise(text) for text in normalised]
        added[column] = pd.Series(normalised, df.index, dtype="str")
        added[name_tokens(column)] = pd.Series(tokens, df.index, dtype="str")
    return df.assign(**added)


def rank_values(df: pd.DataFrame, orders: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Return the place of each value in its column's order, from 0.

    Parameters
    ----------
    df : DataFrame of shape (n_rows, n_columns)
        Ordinal columns.
    orders : mapping of str to sequence of str
        The values of each column, lowest first.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_columns)
        NaN where the value is missing, or not in the order.
    """
    places = [find_places(df[column], order) for column, order in orders.items()]
    return np.where(np.array(places) < 0, np.nan, places).T


def find_places(values: pd.Series, known: Sequence[str]) -> np.ndarray:
    """Return the place of each value among those known, -1 if it is missing or not known."""
    places = pc.index_in(pa.array(values, pa.large_string()), pa.array(known, pa.large_string()))
    return places.fill_null(-1).to_numpy().astype(np.int64)


class DateEncoder(TransformerMixin, BaseEstimator):
    """Splits dates into year, month, weekday (Monday is 0), day and hour.

    Parameters
    ----------
    cyclic : bool
        Give all but the year as sine and cosine, so that December is next to January.

    Attributes
    ----------
    has_hours_ : list of bool
        Whether a column has a time other than midnight; the others get no hour.
    """

    def __init__(self, cyclic: bool = False) -> None:
        self.cyclic = cyclic

    def fit(self, X: pd.DataFrame, y: object = None) -> "DateEncoder":  # noqa: ARG002
        """Find out which columns have a time."""
        self.has_hours_ = [bool((X[c].dt.normalize() != X[c])[X[c].notna()].any()) for c in X]
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return the parts of each column's dates, NaN where the date is missing."""
        found = []
        for column, parts in zip(X, self.list_parts(), strict=True):
            for part in parts:
                attribute, circle = DATE_PARTS[part]
                values = getattr(X[column].dt, attribute).to_numpy(float, na_value=np.nan)
                if self.cyclic and circle is not None:
                    angles = 2 * np.pi * (values - circle[0]) / circle[1]
                    found += [np.sin(angles), np.cos(angles)]
                else:
                    found.append(values)
        return np.column_stack(found)

    def list_parts(self) -> list[list[str]]:
        """Return the parts of each column."""
        return [
            [part for part in DATE_PARTS if part != "hour" or has_hours]
            for has_hours in self.has_hours_
        ]

    def get_feature_names_out(self, input_features: Sequence[str]) -> np.ndarray:
        """Return names such as 'sold: month', or 'sold: month (sine)' if it is cyclic."""
        names = []
        for column, parts in zip(input_features, self.list_parts(), strict=True):
            for part in parts:
                is_cyclic = self.cyclic and DATE_PARTS[part][1] is not None
                ends = (" (sine)", " (cosine)") if is_cyclic else ("",)
                names += [f"{column}: {part}{end}" for end in ends]
        return np.array(names, object)


class MissingFlags(TransformerMixin, BaseEstimator):
    """Marks the rows where a value is missing, for columns that lack values in training.

    Attributes
    ----------
    is_flagged_ : ndarray of bool, shape (n_columns,)
        Which columns these are.
    """

    def fit(self, X: pd.DataFrame, y: object = None) -> "MissingFlags":  # noqa: ARG002
        """Find out which columns lack values."""
        self.is_flagged_ = X.isna().any().to_numpy()
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return 1 where a value is missing, else 0, shape (n_rows, n_flagged)."""
        return X.isna().to_numpy(float)[:, self.is_flagged_]

    def get_feature_names_out(self, input_features: Sequence[str]) -> np.ndarray:
        """Return names such as 'carat is missing'."""
        names = [f"{column} is missing" for column in input_features]
        return np.array(names, object)[self.is_flagged_]


class CategoryEncoder(TransformerMixin, BaseEstimator):
    """One column for each value of a category that has few, the mean of the target if it has many.

    Values that few training rows have count as one, together with values that none has. A missing
    value is a value of its own.

    Parameters
    ----------
    max_one_hot : int
        Columns with more values, rare ones not counted, are encoded by the target.
    min_count : int
        Values of fewer training rows are rare.
    target_type : {'binary', 'multiclass', 'continuous'}
        As of scikit-learn's TargetEncoder, which shrinks the means of small categories towards that
        of all rows, and gives a training row the mean of other rows.

    Attributes
    ----------
    values_ : str
        For each column the values of training rows, those that are not rare first, as JSON. A list
        would make large files, because skops stores each string as an object of its own.
    n_frequent_ : list of int
        How many values of each column are not rare.
    slots_ : list of ndarray of bool, shape (n_frequent + 2,)
        For each column, which of its frequent values, 'rare or unseen' and 'missing' training rows
        have.
    is_wide_ : ndarray of bool, shape (n_columns,)
        Which columns are encoded by the target.
    target_encoder_ : TargetEncoder or None
        Fitted on the codes of these columns.
    """

    def __init__(
        self, max_one_hot: int = 20, min_count: int = 10, target_type: str = "continuous"
    ) -> None:
        self.max_one_hot = max_one_hot
        self.min_count = min_count
        self.target_type = target_type

    def fit(self, X: pd.DataFrame, y: Sequence | None = None) -> "CategoryEncoder":
        """Learn the values of each column, and the target's means if there are many."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: pd.DataFrame, y: Sequence | None = None) -> sp.csr_matrix:
        """Learn as ``fit``, and return the features of the training rows.

        The mean that a row gets is of other rows, so it differs from what ``transform`` gives.

        Raises
        ------
        ValueError
            If a column needs the target, and there is none.
        """
        values, self.n_frequent_ = [], []
        for column in X:
            counts = X[column].value_counts()
            is_frequent = counts >= self.min_count
            frequent, rare = (sorted(counts.index[which]) for which in (is_frequent, ~is_frequent))
            values.append(frequent + rare)
            self.n_frequent_.append(len(frequent))
        self.values_ = json.dumps(values)
        codes = self.number_values(X)
        self.slots_ = [
            np.bincount(of_column, minlength=n + 2) > 0
            for of_column, n in zip(codes.T, self.n_frequent_, strict=True)
        ]
        self.is_wide_ = np.array(self.n_frequent_) > self.max_one_hot
        self.target_encoder_ = None
        if not self.is_wide_.any():
            return self.encode_values(codes)
        if y is None:
            names = ", ".join(map(str, X.columns[self.is_wide_]))
            raise ValueError(f"encoding {names} by the target needs the target")
        # Imported here, since most tables do without.
        from sklearn.model_selection import KFold, StratifiedKFold

        splitter = KFold if self.target_type == "continuous" else StratifiedKFold
        parts = splitter(N_PARTS, shuffle=True, random_state=0)
        encoder = TargetEncoder(target_type=self.target_type, cv=parts)
        means = encoder.fit_transform(codes[:, self.is_wide_], np.asarray(y))
        # How the parts were drawn is not needed any more, and skops does not trust its class.
        self.target_encoder_ = encoder.set_params(cv=N_PARTS)
        return sp.hstack([self.encode_values(codes), means], format="csr")

    def transform(self, X: pd.DataFrame) -> sp.csr_matrix:
        """Return the features of rows: columns of 0 and 1, then means of the target."""
        codes = self.number_values(X)
        features = self.encode_values(codes)
        if self.target_encoder_ is None:
            return features
        means = self.target_encoder_.transform(codes[:, self.is_wide_])
        return sp.hstack([features, means], format="csr")

    def find_values(self, X: pd.DataFrame) -> np.ndarray:
        """Return the place of each value in its column of ``values_``, -1 if it has none."""
        places = [
            find_places(X[column], values)
            for column, values in zip(X, json.loads(self.values_), strict=True)
        ]
        return np.column_stack(places)

    def number_values(self, X: pd.DataFrame) -> np.ndarray:
        """Return the slot of each value, shape (n_rows, n_columns)."""
        places, n_frequent = self.find_values(X), np.array(self.n_frequent_)
        is_frequent = (places >= 0) & (places < n_frequent)
        return np.where(is_frequent, places, n_frequent + X.isna().to_numpy())

    def encode_values(self, codes: np.ndarray) -> sp.csr_matrix:
        """Return a column for each slot of the columns that are not wide."""
        slots = np.concatenate([[], *self.list_slots()]).astype(bool)
        numbers = np.where(slots, np.cumsum(slots) - 1, -1)
        starts = [0, *accumulate(map(len, self.list_slots()))]
        columns = numbers[codes[:, ~self.is_wide_] + np.array(starts[:-1], int)]
        is_known = columns >= 0
        indptr = np.concatenate([[0], np.cumsum(is_known.sum(axis=1))])
        shape = (len(codes), int(slots.sum()))
        return sp.csr_matrix((np.ones(indptr[-1]), columns[is_known], indptr), shape=shape)

    def list_slots(self) -> list[np.ndarray]:
        """Return ``slots_`` of the columns that are not wide."""
        return [
            slots for slots, is_wide in zip(self.slots_, self.is_wide_, strict=True) if not is_wide
        ]

    def find_unseen(self, X: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return which rows have a value that no training row has, for each column."""
        is_unseen = (self.find_values(X) < 0) & X.notna().to_numpy()
        return dict(zip(X.columns, is_unseen.T, strict=True))

    def get_feature_names_out(self, input_features: Sequence[str]) -> np.ndarray:
        """Return names such as 'cut=Ideal', 'cut is missing' and 'color: mean target'."""
        names: list[str] = []
        wide: list[str] = []
        ends = ["mean target"]
        if self.target_encoder_ is not None and self.target_encoder_.classes_ is not None:
            classes = list(self.target_encoder_.classes_)
            # Of two classes there is one share, that of the second.
            ends = [f"share of {each}" for each in classes[len(classes) == 2 :]]
        described = zip(
            input_features, json.loads(self.values_), self.slots_, self.is_wide_, strict=True
        )
        for column, values, slots, is_wide in described:
            if is_wide:
                wide += [f"{column}: {end}" for end in ends]
                continue
            of_slots = [f"{column}={value}" for value in values[: len(slots) - 2]]
            of_slots += [f"{column}: rare or unseen", f"{column} is missing"]
            names += [name for name, is_used in zip(of_slots, slots, strict=True) if is_used]
        return np.array(names + wide, object)
