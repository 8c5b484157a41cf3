"""What the service takes and gives."""

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

# Lengths of texts are limited both as received and once they are normalised (NFKC), which can make
# 18 characters of one.
TEXT_LENGTH = 10_000
BATCH_SIZE = 1_000
# Of all texts of a request: at worst 0.7 s of work, if every word is an odd one.
REQUEST_CHARACTERS = 100_000
BODY_BYTES = 1_000_000
# An error for each of 300,000 unknown keys would take seconds to make.
MAX_KEYS = 20


def check_text(text: str) -> str:
    """Return a message that can be scored, or raise ``ValueError``."""
    if fault := find_problem(text):
        raise ValueError(f"cannot be scored: {fault}")
    return text


Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=TEXT_LENGTH),
    AfterValidator(check_text),
    Field(
        description="A message as received",
        examples=["WINNER! Claim your prize now"],
        # So that the description says it, too: not white space alone.
        json_schema_extra={"pattern": r"\S"},
    ),
]


class Strict(BaseModel):
    """Base of what is taken: unknown keys are errors, and so are other types."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def refuse_many_keys(cls, body: Any) -> Any:
        """Raise ``ValueError`` if there are far more keys than any request has."""
        if isinstance(body, dict) and len(body) > MAX_KEYS:
            raise ValueError(f"has {len(body):,} keys: /docs tells which there are")
        return body


class OneMessage(Strict):
    """One message."""

    text: Text
    explain: bool = Field(default=False, description="Whether to tell what each word contributes")


class ManyMessages(Strict):
    """Many messages."""

    texts: list[Text] = Field(min_length=1, max_length=BATCH_SIZE)


def choose_kind(body: Any) -> str:
    """Tell one message from many."""
    return "many" if isinstance(body, dict) and "texts" in body else "one"


Messages = Annotated[
    Annotated[OneMessage, Named("one")] | Annotated[ManyMessages, Named("many")],
    Discriminator(choose_kind),
]


class Word(BaseModel):
    """A word of the normalised message, and what it adds to the score of the positive label."""

    word: str = Field(description="As it stands in the normalised message")
    contribution: float = Field(description="Log-odds; above 0 towards the positive label")


class Prediction(BaseModel):
    """What the model makes of a message."""

    label: str = Field(description="One of the model's two labels")
    probability: float = Field(description="Of the positive label", ge=0, le=1)
    words: list[Word] | None = Field(
        default=None, description="Only if asked for, and null if the model is not linear"
    )


class Predictions(BaseModel):
    """One prediction for each message, in their order."""

    model_config = ConfigDict(protected_namespaces=())

    model_version: str = Field(description="Start of the SHA-256 of the model's file")
    threshold: float = Field(description="Probability from which a message has the positive label")
    predictions: list[Prediction]


class LabelNames(BaseModel):
    """The two labels."""

    negative: str
    positive: str


class Limits(BaseModel):
    """What a request may hold at most."""

    text_length: int = Field(default=TEXT_LENGTH, description="Characters of a message")
    batch_size: int = Field(default=BATCH_SIZE, description="Messages of a request")
    characters: int = Field(
        default=REQUEST_CHARACTERS,
        description="Characters of all messages of a request, as received and as normalised (NFKC)",
    )
    body_bytes: int = Field(default=BODY_BYTES, description="Bytes of a request's body")


class ModelCard(BaseModel):
    """The model that is served."""

    version: str
    sha256: str
    labels: LabelNames
    threshold: float
    estimator: str
    loaded_at: datetime
    training: dict[str, str] | None = Field(
        description="Digests of the data it was made from; null if dvc.lock does not know it"
    )
    metrics: dict[str, dict[str, float]] | None = Field(
        description="As measured on this very model; null if there are none"
    )
    intervals: dict[str, dict[str, dict[str, float]]] | None = Field(
        description="95% intervals of the metrics"
    )
    plots: list[str]
    limits: Limits
    feedback: bool = Field(description="Whether POST /v1/feedback takes corrections")


class Correction(Strict):
    """A message, and the label that is right."""

    text: Text
    label: str = Field(min_length=1, max_length=200, description="The label that is right")


class Predicted(BaseModel):
    """What the model makes of the message."""

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
    """That the process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """That the process can score."""

    model_config = ConfigDict(protected_namespaces=())

    status: Literal["ready"] = "ready"
    model_version: str
