"""The application: its parts put together, and what runs beside the requests."""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Security
from fastapi.responses import FileResponse
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles

from common.log import configure_logging
from service import protocol
from service.api import Service, guarded, unguarded
from service.gate import Gate
from service.problems import MEDIA_TYPE, add_handlers, describe_problems
from service.settings import Settings

STATIC = Path(__file__).with_name("static")
SWAGGER = Path(str(files("fastapi_offline"))) / "static"
PAGES = {"/": "index.html", "/model": "model.html", "/docs": "docs.html"}
DESCRIPTION = """Tells the label of messages, by the model that the pipeline made.

Errors are problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457))."""


def leave_with_parent() -> None:
    """Wait for the end of the supervisor, should there be one, and end this process."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


@asynccontextmanager
async def run_beside(app: FastAPI) -> AsyncIterator[None]:
    """Load the model; score, and watch its file and SIGHUP, until the application ends."""
    service = app.state.service = Service(app.state.settings)
    loop = asyncio.get_running_loop()
    service.scoring = loop.create_task(service.batcher.run())
    tasks = {service.scoring, loop.create_task(service.models.watch())}

    def reload() -> None:
        task = loop.create_task(service.models.reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    # Processes whose supervisor was killed would keep the port.
    threading.Thread(target=leave_with_parent, daemon=True).start()
    yield
    loop.remove_signal_handler(signal.SIGHUP)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if service.feedback is not None:
        service.feedback.dispose()


def create_app(settings: Settings) -> FastAPI:
    """Return the application that serves the model which ``settings`` name.

    The model is loaded when the application starts, and whenever its file changes or the process
    gets SIGHUP.
    """
    # A process that the supervisor started has no settings but these.
    configure_logging("serve", log_file=None)
    protocol.seconds = settings.seconds
    app = FastAPI(
        title="Message classification",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=run_beside,
    )
    app.state.settings = settings
    # The gate asks for the token; here the description says so.
    app.include_router(
        guarded,
        dependencies=[Security(HTTPBearer(auto_error=False))] if settings.token else [],
        responses=describe_problems(401) if settings.token else {},
    )
    app.include_router(unguarded)
    app.add_middleware(Gate, token=settings.token, seconds=settings.seconds, hosts=settings.hosts)
    add_handlers(app)
    add_pages(app)
    keep_problems_alone(app)
    return app


def add_pages(app: FastAPI) -> None:
    """Add what people look at."""
    for address, name in PAGES.items():
        app.add_api_route(
            address,
            lambda name=name: FileResponse(STATIC / name),
            methods=["GET", "HEAD"],
            include_in_schema=False,
        )
    app.mount("/static/swagger", StaticFiles(directory=SWAGGER), name="swagger")
    app.mount("/static", StaticFiles(directory=STATIC), name="static")


def keep_problems_alone(app: FastAPI) -> None:
    """Leave out of OpenAPI's description that errors might be plain JSON, as FastAPI assumes."""
    paths = app.openapi()["paths"].values()
    for route in [route for path in paths for route in path.values()]:
        for response in route["responses"].values():
            if MEDIA_TYPE in response.get("content", {}):
                response["content"] = {MEDIA_TYPE: response["content"][MEDIA_TYPE]}
