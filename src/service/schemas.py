"""The bodies of requests and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from models.description import Target
from records.chunks import find_problem

# Limits apply to texts as received and after normalisation (NFKC), which can turn one character
# into 18.
TEXT_LENGTH = 10_000
BATCH_SIZE = 1_000
# All texts of a request together: at worst 0.7 s of work, if no word was seen before.
REQUEST_CHARACTERS = 100_000
BODY_BYTES = 1_000_000
# Larger bodies are read in a thread, one at a time.
LARGE_BYTES = 50_000
# An error for each of 300,000 unknown keys would take seconds to make.
MAX_KEYS = 20


def check_text(text: str) -> str:
    """Return a message that can be scored, or raise ``ValueError``."""
    if reason := find_problem(text):
        raise ValueError(f"cannot be scored: {reason}")
    return text


Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=TEXT_LENGTH),
    AfterValidator(check_text),
    Field(
        description="A message as received",
        examples=["WINNER! Claim your prize now"],
        # Adds to the API's description that the text must not be blank.
        json_schema_extra={"pattern": r"\S"},
    ),
]


class Strict(BaseModel):
    """Base of the bodies of requests: unknown keys and other types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def refuse_many_keys(cls, body: Any) -> Any:
        """Raise ``ValueError`` if there are far more keys than any request has."""
        if isinstance(body, dict) and len(body) > MAX_KEYS:
            raise ValueError(f"has {len(body):,} keys: see /docs for those that exist")
        return body


class OneMessage(Strict):
    """One message."""

    text: Text
    explain: bool = Field(default=False, description="Whether to return each word's contribution")


class ManyMessages(Strict):
    """Many messages."""

    texts: list[Text] = Field(min_length=1, max_length=BATCH_SIZE)


class Word(BaseModel):
    """A word of the message, and what it adds to the score of the positive label."""

    word: str = Field(description="As received; spaced letters that make a word are one")
    contribution: float = Field(description="Log-odds; above 0 towards the positive label")


class Reason(BaseModel):
    """What a column, or a word of a text, does to the prediction."""

    name: str
    value: str = Field(description="The value that the row has; empty for words")
    change: float = Field(description="Above 0: it raises what is explained")


class Explanation(BaseModel):
    """What the prediction for a row comes from."""

    kind: Literal["contributions", "changes"] = Field(
        description="Exact contributions of a linear model; or how much the prediction differs "
        "from that with the column's median or most frequent value"
    )
    of: str = Field(description="What is explained")
    items: list[Reason] = Field(description="The strongest first")


class Unusual(BaseModel):
    """A column with a value that the training data did not have."""

    column: str
    problem: str


class LabelAnswer(BaseModel):
    """The model's prediction."""

    label: str = Field(description="One of the model's two labels")
    probability: float = Field(description="Of the positive label", ge=0, le=1)


class LabelsAnswer(BaseModel):
    """The model's prediction."""

    label: str = Field(description="The most probable label")
    probability: float = Field(description="Of this label", ge=0, le=1)
    probabilities: dict[str, float] = Field(description="Of each label")


class NumberAnswer(BaseModel):
    """The model's prediction."""

    prediction: float
    lower: float | None = Field(default=None, description="The lower end of its interval")
    upper: float | None = Field(default=None, description="The upper end")


class Versioned(BaseModel):
    """What every answer of the model has."""

    model_config = ConfigDict(protected_namespaces=())

    model_version: str = Field(description="Start of the SHA-256 of the model's file")


class OfMessage(BaseModel):
    """What the prediction for a message has, too."""

    words: list[Word] | None = Field(
        default=None, description="Only if requested; null if the model is not linear"
    )


class OfRow(BaseModel):
    """What the prediction for a row has, too."""

    warnings: list[Unusual] = Field(description="The columns with unusual values")
    explanation: Explanation | None = Field(default=None, description="Only if requested")


class CurvePoint(BaseModel):
    """The prediction for one value of the column; the task decides which number it has."""

    value: float | str
    prediction: float | None = None
    probability: float | None = Field(default=None, description="Of the positive label")
    probabilities: dict[str, float] | None = Field(default=None, description="Of each label")


class CurvePoints(BaseModel):
    """The predictions for a row with other values of one column."""

    column: str
    kind: Literal["number", "category", "ordinal", "date"]
    points: list[CurvePoint]


class LabelNames(BaseModel):
    """The two labels."""

    negative: str
    positive: str


class Limits(BaseModel):
    """The limits of a request."""

    text_length: int = Field(default=TEXT_LENGTH, description="Characters of a message")
    batch_size: int = Field(
        default=BATCH_SIZE,
        description="Messages or rows of a request; fewer rows if they have more than 100 columns",
    )
    characters: int = Field(
        default=REQUEST_CHARACTERS,
        description="Characters of all messages of a request, as received and as normalised (NFKC)",
    )
    body_bytes: int = Field(default=BODY_BYTES, description="Bytes of a request's body")


class Rate(BaseModel):
    """A share of messages, and its 95% interval."""

    rate: float
    low: float
    high: float


class Disguised(BaseModel):
    """How the model does on messages that are disguised in one way."""

    caught: Rate = Field(description="The share of positive messages that gets the positive label")
    blocked: Rate = Field(description="The share of negative messages that gets it")


class Robustness(BaseModel):
    """How the model does on messages that are disguised from it."""

    worst: float = Field(description="The lowest share caught")
    worst_attack: str = Field(description="The disguise that this is of")
    mean: float = Field(description="The mean share caught")
    most_blocked: float = Field(description="The highest share blocked")
    attacks: dict[str, Disguised] = Field(description="By disguise")


class ColumnCard(BaseModel):
    """A column of the rows that the model takes."""

    name: str
    kind: Literal["text", "number", "category", "ordinal", "date"]
    unit: str | None
    is_needed: bool = Field(description="Whether the value must not be missing")
    minimum: float | str | None = Field(description="Of the training data; of numbers and dates")
    maximum: float | str | None
    usual: float | str | None = Field(description="The median, or the most frequent value")
    values: list[str] = Field(description="Of a category or, lowest first, an ordered category")
    n_values: int = Field(description="How many values the training data have")


class ModelCard(BaseModel):
    """The model that is served."""

    version: str
    sha256: str
    labels: LabelNames | None = Field(description="Of two labels; null for other tasks")
    threshold: float | None = Field(description="Of two labels; null for other tasks")
    estimator: str
    loaded_at: datetime
    training: dict[str, str] | None = Field(
        description="Digests of its training data; null if dvc.lock does not name this model"
    )
    metrics: dict[str, dict[str, Any]] | None = Field(
        description="Null unless dvc.lock ties them to this model"
    )
    intervals: dict[str, dict[str, Any]] | None = Field(description="95% intervals of the metrics")
    robustness: Robustness | None = Field(
        description="Of disguised messages; null unless dvc.lock ties it to this model"
    )
    plots: list[str]
    limits: Limits
    feedback: bool = Field(description="Whether POST /v1/feedback accepts corrections")
    name: str
    summary: str
    task: Literal["binary", "multiclass", "regression"]
    is_messages: bool = Field(description="Whether it takes one text instead of rows")
    columns: list[ColumnCard] = Field(description="Those that change predictions most first")
    target: Target
    target_name: str
    classes: list[str] = Field(description="The labels; empty for numbers")
    positive: str | None = Field(description="The positive one of two labels")
    coverage: float | None = Field(description="Share of numbers within their interval")


class Health(BaseModel):
    """The state of a process that answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The state of a process that can score."""

    model_config = ConfigDict(protected_namespaces=())

    status: Literal["ready"] = "ready"
    model_version: str
