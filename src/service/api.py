"""The REST API: its routes, and what they share."""

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
from service.lineage import PLOTS, Lineage, read_lineage
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
    Robustness,
    Stored,
    Word,
)
from service.serving_model import ModelHolder, ServingModel
from service.settings import Settings
from text.normalise import count_normalised

PREDICT = "/v1/predict"
# The least cost of explaining a message, as a number of characters.
EXPLAIN_CHARACTERS = 500
# Corrections that are being stored, or wait for a database that does not answer.
MAX_STORING = 20
TOO_LONG_TOGETHER = (
    f"the texts have more than {REQUEST_CHARACTERS:,} characters together: "
    "send them in several requests"
)
LATER = "the feedback could not be stored: try again later"
REFUSALS = describe_problems(400, 408, 413, 415, 422, 503)

logger = logging.getLogger(__name__)
# Routes that need the token, if there is one, and routes that do not.
guarded, unguarded = APIRouter(), APIRouter()


class Service:
    """What all requests to one process share.

    Raises
    ------
    OSError, ValueError
        If the model cannot be loaded, or the URL of the database for feedback is wrong.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.batcher = Batcher()
        self.scoring: asyncio.Task[None] | None = None
        # A database that hangs must not take the threads that send pages.
        self.storing, self.explaining = CapacityLimiter(4), CapacityLimiter(1)
        self.sizing = CapacityLimiter(1)
        self.n_storing = 0
        self.explained_characters = 0
        self.models = ModelHolder(settings, lambda outcome: telemetry.RELOADS.labels(outcome).inc())
        self.feedback: Engine | None = None
        if settings.feedback_url:
            try:
                self.feedback = open_store(settings.feedback_url)
            except StoreError as error:
                # At its start the service requires the store; a process started later does not.
                logger.error("%s", error)
                self.feedback = build_engine(settings.feedback_url)

    async def score(
        self, request: Request, texts: list[str], sizes: list[int]
    ) -> tuple[ServingModel, list[float], list[str]]:
        """Score messages; return the model, their probabilities and their labels.

        Scoring stops if the client disconnects.

        Parameters
        ----------
        request : Request
            The request with the messages.
        texts : list of str
            The messages.
        sizes : list of int
            Their sizes from ``compute_sizes``.

        Raises
        ------
        OverloadError
            If too many messages are waiting already.
        ClientLeftError
            If the client disconnected.
        """
        model = self.models.current
        has_left = request.scope.get("has_left", never)
        found = await self.batcher.score(model, texts, sizes, has_left)
        names = model.labels
        labels = [names.positive if p >= model.threshold else names.negative for p in found]
        return model, found, labels

    async def compute_sizes(self, texts: list[str]) -> list[int]:
        """Return the characters of each message, as ``count_characters`` does.

        Raises
        ------
        HTTPException
            If a message is too long, or all of them together are.
        OverloadError
            If too many messages are waiting already.
        """
        n_characters = sum(map(len, texts))
        # Checked before the texts are normalised, which takes time.
        if n_characters > REQUEST_CHARACTERS:
            raise HTTPException(413, TOO_LONG_TOGETHER)
        if all(map(str.isascii, texts)):
            return list(map(len, texts))
        if not self.batcher.has_room(len(texts), n_characters):
            raise OverloadError
        if n_characters <= QUICK_CHARACTERS:
            return count_characters(texts)
        return await to_thread.run_sync(count_characters, texts, limiter=self.sizing)

    async def explain(
        self, request: Request, model: ServingModel, text: str, size: int
    ) -> list[Word] | None:
        """Return what each word of a message contributes; None if the model is not linear.

        ``size`` is the message's size from ``compute_sizes``.

        Raises
        ------
        OverloadError
            If too many messages are waiting to be explained.
        ClientLeftError
            If the client disconnected.
        """
        with self.wait_to_explain(EXPLAIN_CHARACTERS + size):
            async with self.explaining:
                if request.scope.get("has_left", never)():
                    raise ClientLeftError
                return await to_thread.run_sync(list_words, model, text)

    @contextmanager
    def wait_to_explain(self, n_characters: int) -> Iterator[None]:
        """Count the characters that are being explained or wait for it."""
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
        """Count predictions, and log them with their messages if the settings say so."""
        for text, probability, label in zip(texts, found, labels, strict=True):
            telemetry.PREDICTIONS.labels(label).inc()
            telemetry.SCORES.observe(probability)
            if self.settings.logs_messages:
                logger.info("%s %.6f %r", label, probability, text)


def count_characters(texts: list[str]) -> list[int]:
    """Return the characters of each message, as received or normalised, whichever is more.

    Raises
    ------
    HTTPException
        If a message has too many, or all of them together have.
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
    PREDICT,
    tags=["Predict"],
    summary="Classify one message or many",
    responses=REFUSALS,
    response_model_exclude_unset=True,
)
async def predict(request: Request, messages: Messages) -> Predictions:
    """Return the label and the probability of one message, or of each of several, in order."""
    service: Service = request.app.state.service
    texts = messages.texts if isinstance(messages, ManyMessages) else [messages.text]
    sizes = await service.compute_sizes(texts)
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
    """Return what each word of a message contributes; None if the model is not linear."""
    explanation = explain(model.pipeline, model.labels.positive, text)
    if explanation is None:
        return None
    return [Word(word=word, contribution=round(c, 6)) for word, c in explanation.words]


def find_lineage(model: ServingModel, settings: Settings) -> Lineage:
    """Return what dvc.lock records about a model."""
    return read_lineage(model.md5, settings.lock, settings.reports)


@guarded.get("/v1/model", tags=["Model"], summary="Describe the model")
def describe_model(request: Request) -> ModelCard:
    """Return which model is served, what it was made from, and its metrics."""
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
        robustness=Robustness(**lineage.robustness) if lineage.robustness else None,
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
    # Only listed names are accepted, so a name with dots or slashes cannot leave the folder.
    if name not in find_lineage(service.models.current, service.settings).plots:
        raise HTTPException(404, "this plot does not exist: GET /v1/model lists the plots")
    return FileResponse(service.settings.reports / PLOTS / f"{name}.png", media_type="image/png")


@guarded.post(
    "/v1/feedback",
    tags=["Feedback"],
    summary="Store the correct label of a message",
    status_code=201,
    responses={**REFUSALS, **describe_problems(404)},
)
async def store_feedback(request: Request, correction: Correction) -> Stored:
    """Store a message and its correct label; after a review it is added to the training data."""
    service: Service = request.app.state.service
    if service.feedback is None:
        raise HTTPException(404, "feedback is off: start the service with FEEDBACK_URL")
    names = service.models.current.labels
    if correction.label not in (names.negative, names.positive):
        raise refuse("label", f"must be {names.negative} or {names.positive}")
    texts = [correction.text]
    sizes = await service.compute_sizes(texts)
    model, found, labels = await service.score(request, texts, sizes)
    predicted = Predicted(label=labels[0], probability=found[0], model_version=model.version)
    if service.n_storing >= MAX_STORING:
        raise HTTPException(503, LATER, {"Retry-After": "10"})
    service.n_storing += 1
    try:
        store = functools.partial(
            add_feedback,
            service.feedback,
            inputs=correction.text,
            answer=correction.label,
            predicted=predicted.label,
            probability=predicted.probability,
            model_name=None,
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
    """Return the error for a request with an invalid value of a key."""
    return RequestValidationError([{"type": "value_error", "loc": ("body", key), "msg": reason}])


@guarded.get(
    "/metrics",
    tags=["Operations"],
    summary="Get metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
def show_metrics() -> Response:
    """Return counts and durations of requests, predictions and reloads."""
    return Response(telemetry.render_metrics(), media_type="text/plain; version=0.0.4")


@unguarded.get("/healthz", tags=["Operations"], summary="Check that the process answers")
async def check_health() -> Health:
    """Return `ok`: the process answers."""
    return Health()


@unguarded.get(
    "/readyz",
    tags=["Operations"],
    summary="Check that messages can be scored",
    responses=describe_problems(503),
)
async def check_readiness(request: Request) -> Readiness:
    """Return `ready` if messages can be scored now, else status 503."""
    service: Service = request.app.state.service
    has_room = service.batcher.has_room(BATCH_TEXTS, BATCH_CHARACTERS)
    if not has_room or service.scoring is None or service.scoring.done():
        raise OverloadError
    return Readiness(model_version=service.models.current.version)
