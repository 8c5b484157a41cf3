"""The application in this process, asked without a network."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import httpx

from service.app import create_app
from service.settings import Settings

Result = TypeVar("Result")


def make_settings(folder: Path, private: Path, **changes: object) -> Settings:
    """Return settings for what ``make_folder`` makes."""
    return Settings(
        **{
            "model": folder / "models/model.skops",
            "params": folder / "params.yaml",
            "points": folder / "models/model.points.json",
            "reports": folder / "reports",
            "lock": folder / "dvc.lock",
            "folder": private,
            **changes,
        }
    )


def ask(settings: Settings, talk: Callable[[httpx.AsyncClient], Awaitable[Result]]) -> Result:
    """Start the application, let ``talk`` ask it, and end it."""

    async def run() -> Result:
        app = create_app(settings)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://service") as client,
        ):
            client.app = app  # type: ignore[attr-defined]
            return await talk(client)

    return asyncio.run(run())
