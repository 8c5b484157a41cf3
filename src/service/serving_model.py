"""The model that a process serves: load it, watch its file, reload it when the file changes."""

import asyncio
import gc
import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import Histogram

from core.errors import UserError
from core.files import make_private_folder
from models.answers import answer
from models.loaded import DecisionOptions, LoadedModel, load_model_for_use
from models.row_explanation import find_row_weights
from models.store import read_model_file
from models.threshold import OperatingPoints, name_points
from service import telemetry
from service.answering import answer_pieces, measure_rows, measure_texts
from service.bodies import Bodies, build_bodies
from service.settings import Settings

# The file is checked twice a second, which is quick enough and costs almost nothing.
POLL_SECONDS = 0.5
# The last model that could be served, for processes that start while the newest one cannot be.
LAST_GOOD = "last_good.skops"
LAST_OPTIONS = "last_good.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ServingModel:
    """A loaded model, and what requests to it must be.

    Attributes
    ----------
    loaded : LoadedModel
        The model.
    md5 : str
        Of its file, as dvc.lock has it.
    loaded_at : datetime
        When it was loaded, in UTC.
    bodies : Bodies
        The bodies of requests and answers.
    call_size, row_size : int
        What a call of ``answer`` costs, and what each row adds to that, in characters.
    explain_calls : int
        How many predictions the explanation of one takes.
    values : Histogram or None
        Counts the predicted numbers; None of labels.
    """

    loaded: LoadedModel
    md5: str
    loaded_at: datetime
    bodies: Bodies
    call_size: int
    row_size: int
    explain_calls: int
    values: Histogram | None

    @property
    def version(self) -> str:
        """The start of the file's SHA-256, as ``python src predict`` writes it."""
        return self.loaded.version

    @property
    def decision(self) -> dict[str, float]:
        """What answers say about how the model decides."""
        decision = self.loaded.decision
        if self.loaded.description.data.positive is not None:
            return {"threshold": decision.threshold}
        return {"coverage": decision.interval.coverage} if decision.interval else {}

    @property
    def has_interval(self) -> bool:
        """Whether the file of the points has an interval for its predictions."""
        return not self.loaded.description.classes

    def name_input(self, given: Any) -> Any:
        """Return a message as it is, the values of a row by column."""
        if self.loaded.rows is None:
            return given
        return self.bodies.rules.name_values(given)

    def answer(self, inputs: list[Any]) -> list[Any]:
        """Return the answer for each message, or the answers for each piece of rows."""
        if self.loaded.rows is None:
            return answer(self.loaded, inputs)
        return answer_pieces(self.loaded, inputs)


def prepare_model(loaded: LoadedModel) -> ServingModel:
    """Try a model on an example, which also makes the first request faster, and measure it.

    Raises
    ------
    UserError
        If it fails.
    """
    bodies = build_bodies(loaded.description)
    try:
        if loaded.rows is None:
            call_size, row_size = measure_texts(loaded), 0
        else:
            call_size, row_size = measure_rows(loaded, *bodies.check_rows([bodies.rules.example]))
    except Exception as error:  # a model for other input can fail anywhere in scikit-learn
        raise UserError(
            f"{loaded.path} cannot predict for an example ({type(error).__name__})",
            "use a model from 'dvc repro' or 'dvc pull'",
        ) from error
    return ServingModel(
        loaded,
        hashlib.md5(loaded.content, usedforsecurity=False).hexdigest(),
        datetime.now(UTC).replace(microsecond=0),
        bodies,
        call_size,
        row_size,
        1 if find_row_weights(loaded) else 1 + len(bodies.rules.columns),
        telemetry.make_histogram(loaded.version, loaded.description.target),
    )


def keep_last_good(model: LoadedModel, folder: Path) -> None:
    """Write a model and how it decides to the folder, for processes that start later."""
    decision = model.decision
    intervals = [decision.interval] if decision.interval else []
    points = OperatingPoints(model_sha256=model.sha256, points=[], intervals=intervals)
    options = {
        "threshold": decision.threshold if model.description.data.positive is not None else None,
        "coverage": decision.interval.coverage if decision.interval else None,
    }
    path = folder / LAST_GOOD
    for target, content in (
        (path, model.content),
        (name_points(path), points.model_dump_json().encode()),
        (folder / LAST_OPTIONS, json.dumps(options).encode()),
    ):
        # The name has the process's id, since other processes may write at the same time.
        temporary = target.with_name(f"{target.name}.{os.getpid()}")
        temporary.write_bytes(content)
        temporary.replace(target)


def load_newest(settings: Settings) -> ServingModel:
    """Load the model from its file, and keep it for processes that start later.

    Raises
    ------
    UserError
        If the model, its points or the parameters are missing or not valid, or an option does not
        fit its task.
    """
    options = DecisionOptions(
        settings.params, settings.points, settings.threshold, settings.max_fpr, settings.coverage
    )
    content = read_model_file(settings.model)
    found = prepare_model(
        load_model_for_use(content, settings.model, options, settings.allow_changed_code)
    )
    make_private_folder(settings.folder)
    keep_last_good(found.loaded, settings.folder)
    return found


def load_at_start(settings: Settings) -> ServingModel:
    """Load the model, or if that fails, the last one that another process of the service served."""
    try:
        return load_newest(settings)
    except (OSError, ValueError) as error:
        if not (settings.folder / LAST_OPTIONS).is_file():
            raise
        logger.error("%s; serving the previous model", error)
        given = json.loads((settings.folder / LAST_OPTIONS).read_text(encoding="utf-8"))
        path = settings.folder / LAST_GOOD
        options = DecisionOptions(settings.params, **given)
        return prepare_model(
            load_model_for_use(path.read_bytes(), path, options, settings.allow_changed_code)
        )


def read_signature(settings: Settings, has_points: bool = False) -> tuple[int, ...]:
    """Return a value that changes with the model's files, or () if one is missing.

    ``has_points`` is whether the file of operating points and intervals counts, if there is one.
    """
    files = [settings.model, settings.params]
    if settings.max_fpr is not None or (has_points and settings.points.exists()):
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
        before = [read_signature(settings, has_points) for has_points in (False, True)]
        self.current = load_at_start(settings)
        self.has_points = self.current.has_interval
        self.signature = before[self.has_points]
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
            before = [read_signature(self.settings, has_points) for has_points in (False, True)]
            try:
                found = await asyncio.to_thread(load_newest, self.settings)
            except Exception as error:  # noqa: BLE001  (whatever happens, the old model stays)
                # Perhaps its intervals are not written yet.
                self.has_points, self.signature = True, before[True]
                logger.error("%s; %s is still served", error, self.current.version)
                self.report("failed")
                return
            if found.version == self.current.version:
                logger.info("model %s is the same as before", found.version)
            else:
                logger.info("model %s replaces %s", found.version, self.current.version)
            self.current = found
            self.has_points = found.has_interval
            self.signature = before[self.has_points]
            self.report("loaded")

    def restore_folder(self) -> None:
        """Make the private folder again if it was deleted, as systems do with temporary files.

        An error is logged once; the next call tries again.
        """
        try:
            telemetry.restore_files()
            if not (self.settings.folder / LAST_OPTIONS).exists():
                make_private_folder(self.settings.folder)
                keep_last_good(self.current.loaded, self.settings.folder)
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
            found = read_signature(self.settings, self.has_points)
            # `dvc repro` removes the file before it makes a new one: then there is none to load.
            if found and found != self.signature:
                await self.reload()
