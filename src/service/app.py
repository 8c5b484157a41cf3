"""The application: its routes, pages and middleware, and its background tasks."""

import asyncio
import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Security
from fastapi.responses import FileResponse
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from starlette.routing import Route

from core.log import configure_logging
from service.api import Service, guarded, unguarded
from service.connections import protocol
from service.gate import Gate
from service.problems import HANDLERS, MEDIA_TYPE, describe_problems
from service.settings import Settings
from service.shortcut import Shortcut

STATIC = Path(__file__).with_name("static")
PAGES = {"/": "index.html", "/model": "model.html", "/docs": "docs.html"}
TAGS = [
    {"name": "Predict", "description": "The label of a message, and how sure the model is."},
    {"name": "Model", "description": "Which model is served, and how good it is."},
    {"name": "Feedback", "description": "Correct labels from users, to train on."},
    {"name": "Operations", "description": "For supervisors, load balancers and Prometheus."},
]
DESCRIPTION = """Classifies messages with the model that the pipeline made.

Errors are problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457))."""


def leave_with_parent() -> None:
    """End this process when its supervisor, if it has one, has ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


@asynccontextmanager
async def run_beside(app: FastAPI) -> AsyncIterator[None]:
    """Load the model; score, and reload it on SIGHUP or a new file, until the application ends."""
    service = app.state.service = Service(app.state.settings)
    loop = asyncio.get_running_loop()
    service.scoring = loop.create_task(service.batcher.run())
    tasks = {service.scoring, loop.create_task(service.models.watch())}

    def reload() -> None:
        task = loop.create_task(service.models.reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    # The supervisor has blocked the signal until now.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    # A process whose supervisor was killed would keep the port.
    threading.Thread(target=leave_with_parent, daemon=True).start()
    yield
    loop.remove_signal_handler(signal.SIGHUP)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if service.feedback is not None:
        service.feedback.dispose()


def create_app(settings: Settings) -> FastAPI:
    """Return the application that serves the model in ``settings``.

    The model is loaded when the application starts, and whenever its file changes or the process
    gets SIGHUP.
    """
    # A process that the supervisor started has not configured its log yet.
    configure_logging("serve", log_file=None)
    protocol.seconds = settings.seconds
    app = FastAPI(
        title="Message classification",
        version="1",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        lifespan=run_beside,
        # Looking for a configuration of OpenTelemetry would cost time in every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    # The gate checks the token; this only adds it to the API's description.
    app.include_router(
        guarded,
        dependencies=[Security(HTTPBearer(auto_error=False))] if settings.token else [],
        responses=describe_problems(401) if settings.token else {},
    )
    app.include_router(unguarded)
    app.router.routes.extend(map(make_page, PAGES, PAGES.values()))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(Shortcut)
    app.add_middleware(
        Gate,
        token=settings.token,
        seconds=settings.seconds,
        hosts=settings.hosts,
        bodies=frozenset(path for path, item in app.openapi()["paths"].items() if "post" in item),
    )
    for kind, answer in HANDLERS.items():
        app.add_exception_handler(kind, answer)
    app.openapi = functools.partial(describe_api, app, app.openapi())  # type: ignore[method-assign]
    return app


def make_page(address: str, name: str) -> Route:
    """Return the route of a page.

    It is a route of Starlette, since FastAPI makes a parameter of every argument of a function.
    """

    async def show(_: Request) -> FileResponse:
        return FileResponse(STATIC / name)

    return Route(address, show, methods=["GET", "HEAD"], include_in_schema=False)


def describe_api(app: FastAPI, description: dict[str, Any]) -> dict[str, Any]:
    """Return OpenAPI's description, with the labels of the model that is served now.

    It removes what FastAPI adds wrongly: errors as plain JSON, and errors that are never sent.
    """
    for operation in [one for item in description["paths"].values() for one in item.values()]:
        for status, response in list(operation["responses"].items()):
            if MEDIA_TYPE in response.get("content", {}):
                response["content"] = {MEDIA_TYPE: response["content"][MEDIA_TYPE]}
            elif status == "422":
                del operation["responses"][status]
    schemas = description["components"]["schemas"]
    labels = app.state.service.models.current.labels
    schemas["Correction"]["properties"]["label"] |= {
        "enum": [labels.negative, labels.positive],
        "examples": [labels.positive],
    }
    used = find_schemas(description["paths"], schemas)
    description["components"]["schemas"] = {
        name: schema for name, schema in schemas.items() if name in used
    }
    return description


def find_schemas(node: object, schemas: dict[str, Any]) -> set[str]:
    """Return the names of the schemas that a piece of OpenAPI's description refers to."""
    if isinstance(node, list):
        return set().union(*(find_schemas(child, schemas) for child in node))
    if not isinstance(node, dict):
        return set()
    found = set().union(*(find_schemas(child, schemas) for child in node.values()))
    name = str(node.get("$ref", "")).removeprefix("#/components/schemas/")
    if name in schemas:
        found |= {name} | find_schemas(schemas[name], schemas)
    return found
