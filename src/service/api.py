"""The REST API: its routes, and what they share."""

import asyncio
import functools
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from pydantic_core import to_json
from sqlalchemy import Engine
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from core.errors import UserError
from feedback.store import StoreError, add_feedback, build_engine, open_store
from models.answers import RowError
from models.explanation import explain
from service import telemetry
from service.answering import Answer, cut
from service.batching import (
    BATCH_CHARACTERS,
    BATCH_INPUTS,
    QUICK_CHARACTERS,
    Batcher,
    ClientLeftError,
    OverloadError,
    never,
)
from service.bodies import Asked, parse_json, validate
from service.lineage import PLOTS, Lineage, read_lineage
from service.problems import describe_problems
from service.rows import make_error
from service.schemas import (
    LARGE_BYTES,
    REQUEST_CHARACTERS,
    TEXT_LENGTH,
    ColumnCard,
    Health,
    LabelNames,
    Limits,
    ModelCard,
    Readiness,
    Robustness,
)
from service.serving_model import ModelHolder, ServingModel
from service.settings import Settings
from service.variations import draw_curve, explain_row, list_points
from text.normalise import count_normalised

PREDICT, CURVE, FEEDBACK = "/v1/predict", "/v1/curve", "/v1/feedback"
# The paths that accept a JSON body with POST.
BODIES = frozenset({PREDICT, CURVE, FEEDBACK})
# The least cost of explaining a message, as a number of characters.
EXPLAIN_CHARACTERS = 500
# So many explanations may wait, however much each costs.
EXPLAINED_TOGETHER = 8
# A model that is not linear predicts once for each column of the row that it explains.
EXPLAINED_COLUMNS = 100
# Corrections that are being stored, or wait for a database that does not answer.
MAX_STORING = 20
TOO_LONG_TOGETHER = (
    f"the texts have more than {REQUEST_CHARACTERS:,} characters together: "
    "send them in several requests"
)
LATER = "the feedback could not be stored: try again later"
REFUSALS = describe_problems(400, 408, 413, 415, 422, 503)
# How many labels an error names.
SHOWN_LABELS = 10

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
        self.sizing, self.describing = CapacityLimiter(1), CapacityLimiter(1)
        # The description of the API, and the model that it is for.
        self.described: tuple[ServingModel | None, bytes] = None, b""
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

    async def read_body(self, request: Request, model: ServingModel, read: Callable) -> Any:
        """Return what ``read`` makes of the parsed body of a request to a model.

        A large body is read in a thread, so that other requests are answered meanwhile.
        """
        try:
            content = await request.body()
        except ClientDisconnect as error:
            raise ClientLeftError from error
        is_table = model.loaded.rows is not None
        if len(content) <= LARGE_BYTES:
            return read(parse_json(content, is_table))
        return await to_thread.run_sync(
            lambda: read(parse_json(content, is_table)), limiter=self.sizing
        )

    async def answer(
        self, request: Request, model: ServingModel, asked: Asked, sizes: list[int]
    ) -> list[Answer]:
        """Return the answer for each message or row.

        Scoring stops if the client disconnects.

        Parameters
        ----------
        request : Request
            The request.
        model : ServingModel
            The model that the request was checked for.
        asked : Asked
            What it asks for.
        sizes : list of int
            From ``weigh``.

        Raises
        ------
        OverloadError
            If too much is waiting already.
        ClientLeftError
            If the client disconnected.
        RequestValidationError
            If a row cannot be predicted for.
        """
        has_left = request.scope.get("has_left", never)
        if model.loaded.rows is None:
            return await self.batcher.score(model, asked.inputs, sizes, has_left)
        pieces = await self.batcher.score(model, *cut(asked.inputs, sizes), has_left)
        outcomes = [outcome for piece in pieces for outcome in piece]
        errors = [
            make_error(asked.locate(place, outcome.column), outcome.reason)
            for place, outcome in enumerate(outcomes)
            if isinstance(outcome, RowError)
        ]
        if errors:
            raise RequestValidationError(errors)
        return outcomes

    async def weigh(self, model: ServingModel, inputs: list) -> list[int]:
        """Return the cost of each message or row, in characters; see ``compute_sizes``."""
        if model.loaded.rows is None:
            return await self.compute_sizes(inputs)
        places = model.bodies.rules.texts
        if not places:
            return [model.row_size] * len(inputs)
        sizes = iter(await self.compute_sizes([row[n] or "" for row in inputs for n in places]))
        return [model.row_size + sum(next(sizes) for _ in places) for _ in inputs]

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

    async def vary(
        self, request: Request, cost: int, call: Callable[..., Any], *args: object
    ) -> Any:
        """Return what a call that explains a prediction returns; one runs at a time, in a thread.

        ``cost`` is what it costs, in characters.

        Raises
        ------
        OverloadError
            If too many of them wait.
        ClientLeftError
            If the client disconnected.
        """
        with self.wait_to_explain(EXPLAIN_CHARACTERS + cost):
            async with self.explaining:
                if request.scope.get("has_left", never)():
                    raise ClientLeftError
                return await to_thread.run_sync(call, *args)

    @contextmanager
    def wait_to_explain(self, n_characters: int) -> Iterator[None]:
        """Count the characters that are being explained or wait for it."""
        limit = max(REQUEST_CHARACTERS, EXPLAINED_TOGETHER * n_characters)
        if self.explained_characters and self.explained_characters + n_characters > limit:
            raise OverloadError
        self.explained_characters += n_characters
        try:
            yield
        finally:
            self.explained_characters -= n_characters

    def record(self, model: ServingModel, inputs: list, answers: list[Answer]) -> None:
        """Count predictions, and log them with their inputs if the settings say so."""
        is_binary = model.loaded.description.data.positive is not None
        for each, answer in zip(inputs, answers, strict=True):
            if "label" in answer:
                telemetry.PREDICTIONS.labels(answer["label"]).inc()
            if is_binary:
                telemetry.SCORES.observe(answer["probability"])
            elif model.values is not None:
                model.values.observe(answer["prediction"])
            if self.settings.logs_messages:
                given = model.name_input(each)
                written = repr(given) if isinstance(given, str) else json.dumps(given)
                logger.info("%s %s", show_answer(answer), written)


def show_answer(answer: Answer) -> str:
    """Return an answer for the log."""
    if "label" in answer:
        return f"{answer['label']} {answer['probability']:.6f}"
    return f"{answer['prediction']:g}"


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


@guarded.post(PREDICT, tags=["Predict"], summary="Predict for one or many", responses=REFUSALS)
async def predict(request: Request) -> Response:
    """Return the prediction for one message or row, or for each of several, in order."""
    service: Service = request.app.state.service
    # A request is checked for the model that answers it, also if another one is loaded meanwhile.
    model = service.models.current
    asked = await service.read_body(request, model, model.bodies.parse)
    sizes = await service.weigh(model, asked.inputs)
    answers = await service.answer(request, model, asked, sizes)
    service.record(model, asked.inputs, answers)
    if asked.explains:
        answers[0] |= await explain_input(request, service, model, asked.inputs[0], sizes[0])
    return make_answer({"model_version": model.version, **model.decision, "predictions": answers})


def make_answer(content: dict[str, Any], status: int = 200) -> Response:
    """Return an answer in JSON."""
    return Response(to_json(content), status, media_type="application/json")


async def explain_input(
    request: Request, service: Service, model: ServingModel, given: Any, size: int
) -> Answer:
    """Return what the prediction for a message or row comes from, as a part of its answer."""
    if model.loaded.rows is None:
        return {"words": await service.vary(request, size, list_words, model, given)}
    if model.explain_calls > EXPLAINED_COLUMNS:
        raise refuse("explain", f"is only for models of at most {EXPLAINED_COLUMNS} columns")
    cost = model.explain_calls * (model.call_size + size)
    return {"explanation": await service.vary(request, cost, explain_row, model.loaded, given)}


def list_words(model: ServingModel, text: str) -> list[dict[str, Any]] | None:
    """Return what each word of a message contributes; None if the model is not linear."""
    schema = model.loaded.description.data
    if schema.positive is None:
        return None
    explanation = explain(model.loaded.pipeline, schema.positive, text)
    if explanation is None:
        return None
    return [{"word": word, "contribution": round(c, 6)} for word, c in explanation.words]


@guarded.post(CURVE, tags=["Predict"], summary="Vary one column of a row", responses=REFUSALS)
async def vary_column(request: Request) -> Response:
    """Return the predictions for a row with other values of one column.

    There are at most 41 numbers or dates from its range in the training data, or at most 30 of its
    values.
    """
    service: Service = request.app.state.service
    model = service.models.current
    rules = model.bodies.rules

    def read(body: Any) -> tuple[list, str]:
        form = validate(model.bodies.curve, body)
        return model.bodies.check_rows([form.row]), form.column

    inputs, name = await service.read_body(request, model, read)
    name = rules.renamed.get(name, name)
    if name not in rules.columns:
        raise refuse("column", "is no column of the model")
    column = rules.columns[name]
    if column.kind == "text":
        raise refuse("column", "is a text, which has no curve")
    [size] = await service.weigh(model, inputs)
    values = list_points(column)
    cost = model.call_size + len(values) * size
    call = functools.partial(draw_curve, model.loaded, inputs[0], column, values)
    try:
        points = await service.vary(request, cost, call)
    except RowError as error:
        place = ("body", "row", error.column) if error.column else ("body", "row")
        raise RequestValidationError([make_error(place, error.reason)]) from error
    return make_answer({"column": name, "kind": column.kind, "points": points})


def find_lineage(model: ServingModel, settings: Settings) -> Lineage:
    """Return what dvc.lock records about a model."""
    return read_lineage(model.md5, settings.lock, settings.reports)


@guarded.get("/v1/model", tags=["Model"], summary="Describe the model")
def describe_model(request: Request) -> ModelCard:
    """Return which model is served, what it was made from, and its metrics."""
    service: Service = request.app.state.service
    model = service.models.current
    lineage = find_lineage(model, service.settings)
    loaded, schema = model.loaded, model.loaded.description.data
    is_binary, interval = schema.positive is not None, loaded.decision.interval
    is_measured = lineage.robustness is not None and lineage.robustness.get("applies", True)
    return ModelCard(
        version=model.version,
        sha256=loaded.sha256,
        labels=LabelNames(**schema.label_pair.model_dump()) if is_binary else None,
        threshold=loaded.decision.threshold if is_binary else None,
        estimator=type(loaded.pipeline[-1]).__name__,
        loaded_at=model.loaded_at,
        training=lineage.training,
        metrics=lineage.metrics,
        intervals=lineage.intervals,
        robustness=Robustness.model_validate(lineage.robustness) if is_measured else None,
        plots=list(lineage.plots),
        limits=Limits(batch_size=model.bodies.rules.max_rows),
        feedback=service.feedback is not None,
        name=loaded.description.name,
        summary=loaded.description.summary,
        task=schema.task,
        is_messages=loaded.description.is_messages,
        columns=list_columns(model),
        target=loaded.description.target,
        target_name=schema.target,
        classes=loaded.description.classes,
        positive=schema.positive,
        coverage=interval.coverage if interval else None,
    )


def list_columns(model: ServingModel) -> list[ColumnCard]:
    """Return what is known about the columns, those that change predictions most first."""
    rules = model.bodies.rules
    ranked = sorted(rules.columns.items(), key=lambda pair: -pair[1].effect)
    return [
        ColumnCard(
            **column.model_dump(exclude={"name", "is_needed", "effect"}),
            name=name,
            is_needed=name in rules.required,
        )
        for name, column in ranked
    ]


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
    FEEDBACK,
    tags=["Feedback"],
    summary="Store a correct label or number",
    status_code=201,
    responses={**REFUSALS, **describe_problems(404)},
)
async def store_feedback(request: Request) -> Response:
    """Store a message or row and its correct label or number.

    After a review it is added to the training data.
    """
    service: Service = request.app.state.service
    if service.feedback is None:
        raise HTTPException(404, "feedback is off: start the service with FEEDBACK_URL")
    model = service.models.current
    description = model.loaded.description

    def read(body: Any) -> tuple[Asked, str | float]:
        form = validate(model.bodies.correction, body)
        right = form.label if description.classes else form.number
        if description.classes and right not in description.classes:
            raise refuse("label", f"must be {join_names(description.classes)}")
        if description.is_messages:
            return Asked([form.text], ("text",)), right
        return Asked(model.bodies.check_rows([form.row]), ("row",)), right

    asked, right = await service.read_body(request, model, read)
    sizes = await service.weigh(model, asked.inputs)
    [answer] = await service.answer(request, model, asked, sizes)
    answer = {key: value for key, value in answer.items() if key != "warnings"}
    if service.n_storing >= MAX_STORING:
        raise HTTPException(503, LATER, {"Retry-After": "10"})
    service.n_storing += 1
    try:
        store = functools.partial(
            add_feedback,
            service.feedback,
            inputs=model.name_input(asked.inputs[0]),
            answer=right,
            predicted=answer["label"] if description.classes else answer["prediction"],
            probability=answer.get("probability"),
            model_name=description.name,
            model_version=model.version,
        )
        number = await to_thread.run_sync(store, limiter=service.storing)
    except StoreError as error:
        logger.error("feedback was not stored: %s", error)
        raise HTTPException(503, LATER, {"Retry-After": "10"}) from error
    except UserError as error:
        raise refuse(str(asked.place[0]), f"cannot be stored: {error}") from error
    finally:
        service.n_storing -= 1
    key = "label" if description.classes else "number"
    telemetry.FEEDBACK.labels(right if description.classes else "").inc()
    predicted = answer | {"model_version": model.version}
    return make_answer({"id": number, key: right, "predicted": predicted}, 201)


def join_names(names: list[str]) -> str:
    """Return the names that a value may be, for an error; at most ten."""
    shown, n_more = names[:SHOWN_LABELS], len(names) - SHOWN_LABELS
    if n_more > 0:
        return f"{', '.join(shown)} or one of {n_more:,} more"
    return " or ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


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
def show_metrics(request: Request) -> Response:
    """Return counts and durations of requests, predictions and reloads."""
    service: Service = request.app.state.service
    model = service.models.current
    description = model.loaded.description
    info = telemetry.ModelInfo(description.name, model.version, description.data.task)
    return Response(telemetry.render_metrics(info), media_type="text/plain; version=0.0.4")


@unguarded.get("/healthz", tags=["Operations"], summary="Check that the process answers")
async def check_health() -> Health:
    """Return `ok`: the process answers."""
    return Health()


@unguarded.get(
    "/readyz",
    tags=["Operations"],
    summary="Check that requests can be answered",
    responses=describe_problems(503),
)
async def check_readiness(request: Request) -> Readiness:
    """Return `ready` if requests can be scored now, else status 503."""
    service: Service = request.app.state.service
    has_room = service.batcher.has_room(BATCH_INPUTS, BATCH_CHARACTERS)
    if not has_room or service.scoring is None or service.scoring.done():
        raise OverloadError
    return Readiness(model_version=service.models.current.version)
