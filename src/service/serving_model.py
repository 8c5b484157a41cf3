"""The model that a process serves: load it, watch its file, reload it when the file changes."""

import asyncio
import gc
import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sklearn.pipeline import Pipeline

from core.errors import UserError
from core.files import make_private_folder
from models.scoring import DIGEST_LENGTH, check_labels, score_texts
from models.self_test import check_code
from models.store import parse_model, read_model_file
from models.threshold import choose_threshold
from records.schema import Labels, read_message_schema
from service import telemetry
from service.settings import Settings

# The file is checked twice a second, which is quick enough and costs almost nothing.
POLL_SECONDS = 0.5
# The last model that could be served, for processes that start while the newest one cannot be.
LAST_GOOD = "last_good.skops"
LAST_POINT = "last_good.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServingModel:
    """A loaded model, the content of its file, and what answers say about it."""

    pipeline: Pipeline
    content: bytes = field(repr=False)
    sha256: str
    md5: str
    labels: Labels
    threshold: float
    loaded_at: datetime

    @property
    def version(self) -> str:
        """The start of the file's SHA-256, as ``python src predict`` writes it."""
        return self.sha256[:DIGEST_LENGTH]


def load_serving_model(
    content: bytes,
    path: Path,
    labels: Labels,
    choose_point: Callable[[str], float],
    allow_changed_code: bool,
) -> ServingModel:
    """Load a model from the content of its file, and try it on a message.

    Parameters
    ----------
    content : bytes
        The content of the file.
    path : Path
        The file, for messages.
    labels : Labels
        The labels that the model must have.
    choose_point : callable
        Returns the threshold for the SHA-256 of the file.
    allow_changed_code : bool
        Whether to serve a model that fails its self-test because the code has changed.

    Raises
    ------
    UserError
        If the file of the operating points cannot be read.
    UserError
        If it is not a model of this repository, has other labels, or was built with other code.
    """
    pipeline = parse_model(content, path)
    check_labels(pipeline, [labels.negative, labels.positive], path)
    # The first message takes longest, since it imports NLTK and compiles patterns.
    try:
        score_texts(pipeline, labels.positive, [f"Is this the first message? {'①' * 40}"])
    except Exception as error:  # a model for other input can fail anywhere in scikit-learn
        raise UserError(
            f"{path} cannot score a message ({type(error).__name__})",
            "use a model from 'dvc repro' or 'dvc pull'",
        ) from error
    check_code(pipeline, path, allow_changed_code)
    sha256 = hashlib.sha256(content).hexdigest()
    return ServingModel(
        pipeline,
        content,
        sha256,
        hashlib.md5(content, usedforsecurity=False).hexdigest(),
        labels,
        choose_point(sha256),
        datetime.now(UTC).replace(microsecond=0),
    )


def keep_last_good(model: ServingModel, folder: Path) -> None:
    """Write a model and its operating point to the folder, for processes that start later."""
    point = {"labels": model.labels.model_dump(), "threshold": model.threshold}
    for name, content in ((LAST_GOOD, model.content), (LAST_POINT, json.dumps(point).encode())):
        # The name has the process's id, since other processes may write at the same time.
        temporary = folder / f"{name}.{os.getpid()}"
        temporary.write_bytes(content)
        temporary.replace(folder / name)


def load_newest(settings: Settings) -> ServingModel:
    """Load the model from its file, and keep it for processes that start later.

    Raises
    ------
    UserError
        If the model or the parameters are missing or not valid.
    """
    content = read_model_file(settings.model)
    labels = read_message_schema(settings.params).label_pair
    make_private_folder(settings.folder)
    loaded = load_serving_model(
        content,
        settings.model,
        labels,
        lambda sha256: choose_threshold(
            settings.threshold,
            settings.max_fpr,
            settings.points,
            settings.model,
            sha256,
            settings.params,
        ),
        settings.allow_changed_code,
    )
    keep_last_good(loaded, settings.folder)
    return loaded


def load_at_start(settings: Settings) -> ServingModel:
    """Load the model, or if that fails, the last one that another process of the service served."""
    try:
        return load_newest(settings)
    except (OSError, ValueError) as error:
        if not (settings.folder / LAST_POINT).is_file():
            raise
        logger.error("%s; serving the previous model", error)
        point = json.loads((settings.folder / LAST_POINT).read_text(encoding="utf-8"))
        labels, path = Labels(**point["labels"]), settings.folder / LAST_GOOD
        return load_serving_model(
            path.read_bytes(),
            path,
            labels,
            lambda _: point["threshold"],
            settings.allow_changed_code,
        )


def read_signature(settings: Settings) -> tuple[int, ...]:
    """Return a value that changes with the model's files, or () if one is missing."""
    files = [settings.model, settings.params]
    if settings.max_fpr is not None:
        files.append(settings.points)
    try:
        found = [path.stat() for path in files]
    except OSError:
        return ()
    return tuple(n for stat in found for n in (stat.st_ino, stat.st_size, stat.st_mtime_ns))


class ModelHolder:
    """Holds the model that is served now.

    Parameters
    ----------
    settings : Settings
        Where the model is.
    report : callable
        Called with 'loaded' or 'failed' after each reload.
    """

    def __init__(self, settings: Settings, report: Callable[[str], None]) -> None:
        self.settings = settings
        self.report = report
        self.signature = read_signature(settings)
        self.current = load_at_start(settings)
        self.lock = asyncio.Lock()
        self.folder_error = ""
        # Loaded objects stay, so the garbage collector, which core.startup switched off, can skip
        # them.
        gc.freeze()
        gc.enable()

    async def reload(self) -> None:
        """Replace the model with the one in its file; keep it if that one cannot be served.

        Requests in progress keep the model they started with.
        """
        async with self.lock:
            self.signature = read_signature(self.settings)
            try:
                found = await asyncio.to_thread(load_newest, self.settings)
            except Exception as error:  # noqa: BLE001  (whatever happens, the old model stays)
                logger.error("%s; %s is still served", error, self.current.version)
                self.report("failed")
                return
            if found.version == self.current.version:
                logger.info("model %s is the same as before", found.version)
            else:
                logger.info("model %s replaces %s", found.version, self.current.version)
            self.current = found
            self.report("loaded")

    def restore_folder(self) -> None:
        """Make the private folder again if it was deleted, as systems do with temporary files.

        An error is logged once; the next call tries again.
        """
        try:
            telemetry.restore_files()
            if not (self.settings.folder / LAST_POINT).exists():
                make_private_folder(self.settings.folder)
                keep_last_good(self.current, self.settings.folder)
        except OSError as error:
            if str(error) != self.folder_error:
                logger.error("the private folder cannot be made again: %s", error)
            self.folder_error = str(error)
        else:
            self.folder_error = ""

    async def watch(self) -> None:
        """Reload the model whenever its file or the parameters change, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            self.restore_folder()
            found = read_signature(self.settings)
            # `dvc repro` removes the file before it makes a new one: then there is none to load.
            if found and found != self.signature:
                await self.reload()
