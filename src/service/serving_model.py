"""The model that a process serves: load it, watch its file, replace it when that changes."""

import asyncio
import gc
import hashlib
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sklearn.pipeline import Pipeline

from common.data_params import DataParams, Labels
from common.models import load_model
from common.operating_point import choose_threshold
from common.params import read_params
from common.scoring import DIGEST_LENGTH, check_labels, score_texts
from service.settings import Settings

# A changed file is looked at twice a second: quick enough for people, and next to no work.
POLL_SECONDS = 0.5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServingModel:
    """A loaded model, and what answers tell of it."""

    pipeline: Pipeline
    sha256: str
    md5: str
    labels: Labels
    threshold: float
    loaded_at: datetime

    @property
    def version(self) -> str:
        """The start of the file's SHA-256, as ``predict.py`` writes it."""
        return self.sha256[:DIGEST_LENGTH]


def load_serving_model(path: Path, settings: Settings) -> ServingModel:
    """Load a model's file and try it on a message.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If it is none of our models, or has other labels than the parameters.
    """
    content = path.read_bytes()
    labels = read_params(settings.params, "data_validation", DataParams).labels
    threshold = choose_threshold(
        settings.threshold, settings.max_fpr, settings.roc, settings.params
    )
    pipeline = load_model(path)
    check_labels(pipeline, [labels.negative, labels.positive], path)
    # The first message takes longer than others: NLTK is imported, caches are filled.
    score_texts(pipeline, labels.positive, ["Is this the first message?"])
    return ServingModel(
        pipeline,
        hashlib.sha256(content).hexdigest(),
        hashlib.md5(content, usedforsecurity=False).hexdigest(),
        labels,
        threshold,
        datetime.now(UTC).replace(microsecond=0),
    )


def load_newest(settings: Settings) -> ServingModel:
    """Load the model from a copy of its file, which is kept if it can be served.

    What is loaded is what is hashed, even if the file is replaced meanwhile.
    """
    if not settings.model.is_file():
        raise FileNotFoundError(f"{settings.model} does not exist: run 'dvc repro' to make it")
    copy = settings.folder / f"model.{os.getpid()}.skops"
    try:
        shutil.copyfile(settings.model, copy)
        try:
            loaded = load_serving_model(copy, settings)
        except ValueError as error:
            # The copy's name says nothing to anyone.
            raise ValueError(str(error).replace(str(copy), str(settings.model))) from error
        copy.replace(settings.folder / "last_good.skops")
    finally:
        copy.unlink(missing_ok=True)
    return loaded


def load_at_start(settings: Settings) -> ServingModel:
    """Load the model, or else the one that was served before by another process of ours."""
    try:
        return load_newest(settings)
    except (OSError, ValueError) as error:
        last_good = settings.folder / "last_good.skops"
        if not last_good.is_file():
            raise
        logger.error("%s; the model before it is served", error)
        return load_serving_model(last_good, settings)


def read_signature(path: Path) -> tuple[int, ...]:
    """Return what changes when a file does, or () if there is none."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


class ModelHolder:
    """Holds the model that is served now.

    Parameters
    ----------
    settings : Settings
        Where the model is.
    tell : callable
        Called with 'loaded' or 'failed' after each try to replace the model.
    """

    def __init__(self, settings: Settings, tell: Callable[[str], None]) -> None:
        self.settings = settings
        self.tell = tell
        self.signature = read_signature(settings.model)
        self.current = load_at_start(settings)
        self.lock = asyncio.Lock()
        # What is loaded stays, so the garbage collector, which common.startup switched off, need
        # not look at it.
        gc.freeze()
        gc.enable()

    async def reload(self) -> None:
        """Replace the model by what its file holds now; keep it if that cannot be served.

        Requests that are under way keep the model with which they began.
        """
        async with self.lock:
            self.signature = read_signature(self.settings.model)
            try:
                found = await asyncio.to_thread(load_newest, self.settings)
            except Exception as error:  # noqa: BLE001  (whatever it is, the old model stays)
                logger.error("%s; %s is still served", error, self.current.version)
                self.tell("failed")
                return
            logger.info("model %s replaces %s", found.version, self.current.version)
            self.current = found
            self.tell("loaded")

    async def watch(self) -> None:
        """Reload the model whenever its file changes, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            found = read_signature(self.settings.model)
            # `dvc repro` removes the file before it makes another: then there is none to load.
            if found and found != self.signature:
                await self.reload()
