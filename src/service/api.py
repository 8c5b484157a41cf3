"""What programs may ask of the service."""

import asyncio
import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from sqlalchemy import Engine
from starlette.exceptions import HTTPException

from core.errors import UserError
from feedback.store import StoreError, add_feedback, build_engine, open_store
from models.explanation import explain
from service import telemetry
from service.batching import (
    BATCH_CHARACTERS,
    BATCH_TEXTS,
    QUICK_CHARACTERS,
    Batcher,
    ClientLeftError,
    OverloadError,
    never,
)
from service.lineage import Lineage, read_lineage
from service.problems import describe_problems
from service.schemas import (
    REQUEST_CHARACTERS,
    TEXT_LENGTH,
    Correction,
    Health,
    LabelNames,
    Limits,
    ManyMessages,
    Messages,
    ModelCard,
    OneMessage,
    Predicted,
    Prediction,
    Predictions,
    Readiness,
    Stored,
    Word,
)
from service.serving_model import ModelHolder, ServingModel
from service.settings import Settings
from text.normalise import count_normalised

# What explaining a message costs, however short it is, in characters of a long one.
EXPLAIN_CHARACTERS = 500
# Corrections that are being stored, or wait for a database which does not answer.
MAX_STORING = 20
TOO_LONG_TOGETHER = (
    f"the texts have more than {REQUEST_CHARACTERS:,} characters together: "
    "send them in several requests"
)
LATER = "the feedback could not be stored: try again later"
REFUSALS = describe_problems(400, 408, 413, 415, 422, 503)

logger = logging.getLogger(__name__)
# What the token guards, if there is one, and what is open to all.
guarded, unguarded = APIRouter(), APIRouter()


class Service:
    """What the requests of one process share.

    Raises
    ------
    OSError, ValueError
        If the model cannot be loaded, or the URL of the database for feedback is wrong.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.batcher = Batcher()
        self.scoring: asyncio.Task[None] | None = None
        # A database that hangs must not take the threads which send pages.
        self.storing, self.explaining = CapacityLimiter(4), CapacityLimiter(1)
        self.measuring = CapacityLimiter(1)
        self.n_storing = 0
        self.explained_characters = 0
        self.models = ModelHolder(settings, lambda outcome: telemetry.RELOADS.labels(outcome).inc())
        self.feedback: Engine | None = None
        if settings.feedback_url:
            try:
                self.feedback = open_store(settings.feedback_url)
            except StoreError as error:
                # The service did not start without it; a process that starts later can score.
                logger.error("%s", error)
                self.feedback = build_engine(settings.feedback_url)

    async def score(
        self, request: Request, texts: list[str], sizes: list[int]
    ) -> tuple[ServingModel, list[float], list[str]]:
        """Return the model that scored messages, their probabilities and their labels.

        If the client of the request leaves, they are scored no further.

        Parameters
        ----------
        request : Request
            What they came with.
        texts : list of str
            The messages.
        sizes : list of int
            What ``measure`` returned for them.

        Raises
        ------
        OverloadError
            If too many wait already.
        ClientLeftError
            If the client left.
        """
        model = self.models.current
        has_left = request.scope.get("has_left", never)
        found = await self.batcher.score(model, texts, sizes, has_left)
        names = model.labels
        labels = [names.positive if p >= model.threshold else names.negative for p in found]
        return model, found, labels

    async def measure(self, texts: list[str]) -> list[int]:
        """Return what it costs to score each message, as ``count_characters`` does.

        Raises
        ------
        HTTPException
            If a message is too long, or they are together.
        OverloadError
            If they could not wait to be scored.
        """
        n_characters = sum(map(len, texts))
        # Refused before anything is normalised, if their length says so.
        if n_characters > REQUEST_CHARACTERS:
            raise HTTPException(413, TOO_LONG_TOGETHER)
        if all(map(str.isascii, texts)):
            return list(map(len, texts))
        if not self.batcher.has_room(len(texts), n_characters):
            raise OverloadError
        if n_characters <= QUICK_CHARACTERS:
            return count_characters(texts)
        return await to_thread.run_sync(count_characters, texts, limiter=self.measuring)

    async def explain(
        self, request: Request, model: ServingModel, text: str, size: int
    ) -> list[Word] | None:
        """Return what each word of a message contributes; None if the model is not linear.

        ``size`` is what ``measure`` returned for it.

        Raises
        ------
        OverloadError
            If too many messages wait to be explained.
        ClientLeftError
            If the client left.
        """
        with self.wait_to_explain(EXPLAIN_CHARACTERS + size):
            async with self.explaining:
                if request.scope.get("has_left", never)():
                    raise ClientLeftError
                return await to_thread.run_sync(list_words, model, text)

    @contextmanager
    def wait_to_explain(self, n_characters: int) -> Iterator[None]:
        """Count what waits to be explained, or is."""
        if self.explained_characters and (
            self.explained_characters + n_characters > REQUEST_CHARACTERS
        ):
            raise OverloadError
        self.explained_characters += n_characters
        try:
            yield
        finally:
            self.explained_characters -= n_characters

    def record(self, texts: list[str], found: list[float], labels: list[str]) -> None:
        """Count predictions, and log them with their messages if that is wanted."""
        for text, probability, label in zip(texts, found, labels, strict=True):
            telemetry.PREDICTIONS.labels(label).inc()
            telemetry.SCORES.observe(probability)
            if self.settings.logs_messages:
                logger.info("%s %.6f %r", label, probability, text)


def count_characters(texts: list[str]) -> list[int]:
    """Return the characters of each message, as received or as normalised if those are more.

    Raises
    ------
    HTTPException
        If a message has too many, or all of them together.
    """
    left = REQUEST_CHARACTERS
    sizes = []
    for number, text in enumerate(texts):
        size = max(len(text), count_normalised(text, TEXT_LENGTH))
        if size > TEXT_LENGTH:
            place = f"text number {number + 1}" if len(texts) > 1 else "the text"
            longer = f"more than {TEXT_LENGTH:,} characters after Unicode normalisation (NFKC)"
            raise HTTPException(413, f"{place} has {longer}")
        left -= size
        if left < 0:
            raise HTTPException(413, TOO_LONG_TOGETHER)
        sizes.append(size)
    return sizes


@guarded.post(
    "/v1/predict",
    tags=["Predict"],
    summary="Classify one message or many",
    responses=REFUSALS,
    response_model_exclude_unset=True,
)
async def predict(request: Request, messages: Messages) -> Predictions:
    """Return the label and the probability of one message, or of each of many, in their order."""
    service: Service = request.app.state.service
    texts = messages.texts if isinstance(messages, ManyMessages) else [messages.text]
    sizes = await service.measure(texts)
    model, found, labels = await service.score(request, texts, sizes)
    service.record(texts, found, labels)
    predictions = [
        Prediction(label=label, probability=probability)
        for label, probability in zip(labels, found, strict=True)
    ]
    if isinstance(messages, OneMessage) and messages.explain:
        predictions[0].words = await service.explain(request, model, messages.text, sizes[0])
    return Predictions(
        model_version=model.version, threshold=model.threshold, predictions=predictions
    )


def list_words(model: ServingModel, text: str) -> list[Word] | None:
    """Return what each word of a message contributes; None if the model cannot tell."""
    explanation = explain(model.pipeline, model.labels.positive, text)
    if explanation is None:
        return None
    return [Word(word=word, contribution=round(c, 6)) for word, c in explanation.words]


def find_lineage(model: ServingModel, settings: Settings) -> Lineage:
    """Return what dvc.lock knows of a model."""
    return read_lineage(
        model.md5, settings.lock, settings.metrics, settings.intervals, settings.plots
    )


@guarded.get("/v1/model", tags=["Model"], summary="Describe the model")
def describe_model(request: Request) -> ModelCard:
    """Return which model is served, what it was made from and how good it is."""
    service: Service = request.app.state.service
    model = service.models.current
    lineage = find_lineage(model, service.settings)
    return ModelCard(
        version=model.version,
        sha256=model.sha256,
        labels=LabelNames(**model.labels.model_dump()),
        threshold=model.threshold,
        estimator=type(model.pipeline[-1]).__name__,
        loaded_at=model.loaded_at,
        training=lineage.training,
        metrics=lineage.metrics,
        intervals=lineage.intervals,
        plots=list(lineage.plots),
        limits=Limits(),
        feedback=service.feedback is not None,
    )


@guarded.get(
    "/v1/model/plots/{name}",
    tags=["Model"],
    summary="Get a plot of the evaluation",
    response_class=FileResponse,
    responses={200: {"content": {"image/png": {}}}, **describe_problems(404)},
)
def show_plot(request: Request, name: str) -> FileResponse:
    """Return one of the plots that `GET /v1/model` lists, as a PNG."""
    service: Service = request.app.state.service
    # A listing, so that a name with dots or slashes leads nowhere.
    if name not in find_lineage(service.models.current, service.settings).plots:
        raise HTTPException(404, "there is no such plot: GET /v1/model lists them")
    return FileResponse(service.settings.plots / f"{name}.png", media_type="image/png")


@guarded.post(
    "/v1/feedback",
    tags=["Feedback"],
    summary="Store the right label of a message",
    status_code=201,
    responses={**REFUSALS, **describe_problems(404)},
)
async def correct(request: Request, correction: Correction) -> Stored:
    """Store a message and its right label; once reviewed, it is added to the training data."""
    service: Service = request.app.state.service
    if service.feedback is None:
        raise HTTPException(404, "feedback is off: start the service with FEEDBACK_URL to take it")
    names = service.models.current.labels
    if correction.label not in (names.negative, names.positive):
        raise refuse("label", f"must be {names.negative} or {names.positive}")
    texts = [correction.text]
    model, found, labels = await service.score(request, texts, await service.measure(texts))
    predicted = Predicted(label=labels[0], probability=found[0], model_version=model.version)
    if service.n_storing >= MAX_STORING:
        raise HTTPException(503, LATER, {"Retry-After": "10"})
    service.n_storing += 1
    try:
        store = functools.partial(
            add_feedback,
            service.feedback,
            text=correction.text,
            label=correction.label,
            predicted_label=predicted.label,
            probability=predicted.probability,
            model_version=predicted.model_version,
        )
        number = await to_thread.run_sync(store, limiter=service.storing)
    except StoreError as error:
        logger.error("feedback was not stored: %s", error)
        raise HTTPException(503, LATER, {"Retry-After": "10"}) from error
    except UserError as error:
        raise refuse("text", f"cannot be stored: {error}") from error
    finally:
        service.n_storing -= 1
    telemetry.FEEDBACK.labels(correction.label).inc()
    return Stored(id=number, label=correction.label, predicted=predicted)


def refuse(key: str, reason: str) -> RequestValidationError:
    """Return the error of a request whose value of a key cannot be accepted."""
    return RequestValidationError([{"type": "value_error", "loc": ("body", key), "msg": reason}])


@guarded.get(
    "/metrics",
    tags=["Operations"],
    summary="Get metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
def tell_metrics() -> Response:
    """Return counts and durations of requests, predictions and reloads."""
    return Response(telemetry.describe(), media_type="text/plain; version=0.0.4")


@unguarded.get("/healthz", tags=["Operations"], summary="Check that the process answers")
async def tell_health() -> Health:
    """Return that the process answers."""
    return Health()


@unguarded.get(
    "/readyz",
    tags=["Operations"],
    summary="Check that messages can be scored",
    responses=describe_problems(503),
)
async def tell_readiness(request: Request) -> Readiness:
    """Return that messages can be scored now, or 503."""
    service: Service = request.app.state.service
    has_room = service.batcher.has_room(BATCH_TEXTS, BATCH_CHARACTERS)
    if not has_room or service.scoring is None or service.scoring.done():
        raise OverloadError
    return Readiness(model_version=service.models.current.version)
