"""The bodies of requests and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic import Tag as Named

from records.chunks import find_problem

# Limits apply to texts as received and after normalisation (NFKC), which can turn one character
# into 18.
TEXT_LENGTH = 10_000
BATCH_SIZE = 1_000
# All texts of a request together: at worst 0.7 s of work, if no word was seen before.
REQUEST_CHARACTERS = 100_000
BODY_BYTES = 1_000_000
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


def choose_kind(body: Any) -> str:
    """Return which of the two kinds of ``Messages`` a body is."""
    return "many" if isinstance(body, dict) and "texts" in body else "one"


Messages = Annotated[
    Annotated[OneMessage, Named("one")] | Annotated[ManyMessages, Named("many")],
    Discriminator(choose_kind),
]


class Word(BaseModel):
    """A word of the message, and what it adds to the score of the positive label."""

    word: str = Field(description="As received; spaced letters that make a word are one")
    contribution: float = Field(description="Log-odds; above 0 towards the positive label")


class Prediction(BaseModel):
    """The model's prediction for a message."""

    label: str = Field(description="One of the model's two labels")
    probability: float = Field(description="Of the positive label", ge=0, le=1)
    words: list[Word] | None = Field(
        default=None, description="Only if requested; null if the model is not linear"
    )


class Predictions(BaseModel):
    """One prediction for each message, in their order."""

    model_config = ConfigDict(protected_namespaces=())

    model_version: str = Field(description="Start of the SHA-256 of the model's file")
    threshold: float = Field(description="Probability from which on the label is positive")
    predictions: list[Prediction]


class LabelNames(BaseModel):
    """The two labels."""

    negative: str
    positive: str


class Limits(BaseModel):
    """The limits of a request."""

    text_length: int = Field(default=TEXT_LENGTH, description="Characters of a message")
    batch_size: int = Field(default=BATCH_SIZE, description="Messages of a request")
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


class ModelCard(BaseModel):
    """The model that is served."""

    version: str
    sha256: str
    labels: LabelNames
    threshold: float
    estimator: str
    loaded_at: datetime
    training: dict[str, str] | None = Field(
        description="Digests of its training data; null if dvc.lock does not name this model"
    )
    metrics: dict[str, dict[str, float]] | None = Field(
        description="Null unless dvc.lock ties them to this model"
    )
    intervals: dict[str, dict[str, dict[str, float]]] | None = Field(
        description="95% intervals of the metrics"
    )
    robustness: Robustness | None = Field(
        description="Of disguised messages; null unless dvc.lock ties it to this model"
    )
    plots: list[str]
    limits: Limits
    feedback: bool = Field(description="Whether POST /v1/feedback accepts corrections")


class Correction(Strict):
    """A message and its correct label."""

    text: Text
    label: str = Field(min_length=1, max_length=200, description="The correct label")


class Predicted(BaseModel):
    """The model's prediction for the message."""

    model_config = ConfigDict(protected_namespaces=())

    label: str
    probability: float
    model_version: str


class Stored(BaseModel):
    """A correction that was stored."""

    id: int
    label: str
    predicted: Predicted


class Health(BaseModel):
    """The state of a process that answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The state of a process that can score."""

    model_config = ConfigDict(protected_namespaces=())

    status: Literal["ready"] = "ready"
    model_version: str
