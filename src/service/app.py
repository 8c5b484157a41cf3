"""The application: its routes, pages and middleware, and its background tasks."""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import to_thread
from fastapi import FastAPI, Request, Security
from fastapi.responses import FileResponse, Response
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from pydantic_core import to_json
from starlette.routing import Route

from core.log import configure_logging
from service.api import BODIES, Service, guarded, unguarded
from service.connections import protocol
from service.gate import Gate
from service.openapi import describe_api
from service.problems import HANDLERS, describe_problems
from service.settings import Settings
from service.shortcut import Shortcut

STATIC = Path(__file__).with_name("static")
PAGES = {"/": "index.html", "/model": "model.html", "/docs": "docs.html"}
TAGS = [
    {"name": "Predict", "description": "What the model predicts, and how sure it is."},
    {"name": "Model", "description": "Which model is served, and how good it is."},
    {"name": "Feedback", "description": "Correct labels and numbers from users, to train on."},
    {"name": "Operations", "description": "For supervisors, load balancers and Prometheus."},
]
DESCRIPTION = """Predicts with the model that the pipeline made.

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
        title="Predictions",
        version="1",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
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
        bodies=BODIES,
    )
    for kind, answer in HANDLERS.items():
        app.add_exception_handler(kind, answer)
    app.add_route("/openapi.json", show_description, include_in_schema=False)
    return app


async def show_description(request: Request) -> Response:
    """Return OpenAPI's description of the API, with the bodies of the model that is served now."""
    service: Service = request.app.state.service
    model = service.models.current
    described, content = service.described
    if described is not model:
        # In a thread, since thousands of columns take seconds.
        base = request.app.openapi()
        content = await to_thread.run_sync(
            lambda: to_json(describe_api(base, model.bodies)), limiter=service.describing
        )
        service.described = model, content
    return Response(content, media_type="application/json")


def make_page(address: str, name: str) -> Route:
    """Return the route of a page.

    It is a route of Starlette, since FastAPI makes a parameter of every argument of a function.
    """

    async def show(_: Request) -> FileResponse:
        return FileResponse(STATIC / name)

    return Route(address, show, methods=["GET", "HEAD"], include_in_schema=False)
