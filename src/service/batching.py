"""Score the inputs of many requests together, since a call for one of them is mostly overhead.

An input is a message, or a piece of the rows of a request.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

# About 10 ms of work for ordinary text, and at most 70 ms if no word was seen before.
BATCH_INPUTS = 64
BATCH_CHARACTERS = 8_000
# A longer batch is scored in a thread, so that the process can answer other requests meanwhile.
QUICK_CHARACTERS = 4_000
# Seconds to wait for more requests: with 32 clients this makes batches three times as large.
MOMENT = 0.0005
# A second of work, three at worst. Requests beyond that are refused, to be sent again later.
MAX_WAITING = 5_000
MAX_WAITING_CHARACTERS = 500_000


class Model(Protocol):
    """What the batcher needs of a model."""

    @property
    def call_size(self) -> int:
        """What a call of ``answer`` costs besides the sizes of its inputs, in characters."""

    def answer(self, inputs: list[Any], /) -> list[Any]:
        """Return the answer for each input."""


class OverloadError(Exception):
    """Too much is waiting to be scored."""


class ClientLeftError(Exception):
    """The client disconnected before its answer was ready."""


@dataclass(eq=False)
class Job:
    """The inputs of one request, and the answers found so far.

    Attributes
    ----------
    sizes : sequence of int
        The cost of each input, in characters.
    has_left : callable
        Returns whether the client disconnected.
    n_taken : int
        How many of the inputs are scored or in a batch that is being scored.
    """

    model: Model
    inputs: list[Any]
    sizes: Sequence[int]
    has_left: Callable[[], bool]
    done: asyncio.Future[list[Any]]
    found: list[Any] = field(default_factory=list)
    n_taken: int = 0


# A job and those of its inputs that a batch takes.
Part = tuple[Job, list[Any]]


def never() -> bool:
    """Return False: the default for a client whose connection is not watched."""
    return False


def score_parts(batch: list[Part]) -> list[list[Any] | Exception]:
    """Return the answers for each part of a batch, or its error.

    If scoring them together fails, each is scored alone, so that only the request at fault fails.
    """
    inputs = [each for _, part in batch for each in part]
    try:
        found = batch[0][0].model.answer(inputs)
    except Exception as error:  # noqa: BLE001  (for the requests; it must not end the loop)
        return [error] if len(batch) == 1 else [score_parts([one])[0] for one in batch]
    results: list[list[Any] | Exception] = []
    for _, part in batch:
        results.append(found[: len(part)])
        found = found[len(part) :]
    return results


class Batcher:
    """Scores waiting inputs, one batch at a time, in the order of their requests."""

    def __init__(self) -> None:
        self.jobs: deque[Job] = deque()
        self.waiting = 0
        self.waiting_characters = 0
        self.wake = asyncio.Event()

    def has_room(self, n_inputs: int, n_characters: int) -> bool:
        """Return whether this much more may wait; if nothing is waiting, any request may."""
        return not self.waiting or (
            self.waiting + n_inputs <= MAX_WAITING
            and self.waiting_characters + n_characters <= MAX_WAITING_CHARACTERS
        )

    async def score(
        self,
        model: Model,
        inputs: list[Any],
        sizes: Sequence[int],
        has_left: Callable[[], bool] = never,
    ) -> list[Any]:
        """Return the answer for each input.

        Raises
        ------
        OverloadError
            If too much would be waiting.
        ClientLeftError
            If the client disconnected before all were scored.
        """
        if not self.has_room(len(inputs), sum(sizes)):
            self.drop_unwanted()
        if not self.has_room(len(inputs), sum(sizes)):
            raise OverloadError
        job = Job(model, inputs, sizes, has_left, asyncio.get_running_loop().create_future())
        self.jobs.append(job)
        self.waiting += len(inputs)
        self.waiting_characters += sum(sizes)
        self.wake.set()
        return await job.done

    def drop(self, job: Job) -> None:
        """Remove a job if it has inputs waiting."""
        if job in self.jobs:
            self.jobs.remove(job)
            self.waiting -= len(job.inputs) - job.n_taken
            self.waiting_characters -= sum(job.sizes[job.n_taken :])

    def drop_unwanted(self) -> None:
        """Remove the jobs whose clients disconnected."""
        for job in [job for job in self.jobs if job.has_left() or job.done.done()]:
            self.drop(job)
            if not job.done.done():
                job.done.set_exception(ClientLeftError())

    def take(self) -> tuple[list[Part], int]:
        """Take the inputs of the next batch; return them and what the batch costs.

        They come from one job or several, all for the same model. Each job in turn gives as many as
        fit, so that a large job does not keep small ones waiting. If a call costs much, a batch may
        be as large as that.
        """
        batch: list[Part] = []
        inputs = characters = 0
        model = self.jobs[0].model if self.jobs else None
        call_size = model.call_size if model else 0
        limit = max(BATCH_CHARACTERS, call_size)
        for _ in range(len(self.jobs)):
            job = self.jobs[0]
            if job.model is not model:
                break
            start = end = job.n_taken
            for size in job.sizes[start:]:
                if inputs == BATCH_INPUTS or (inputs and characters + size > limit):
                    break
                inputs, characters, end = inputs + 1, characters + size, end + 1
            if end == start:
                break
            job.n_taken = end
            batch.append((job, job.inputs[start:end]))
            self.jobs.popleft()
            if end < len(job.inputs):
                self.jobs.append(job)
        self.waiting -= inputs
        self.waiting_characters -= characters
        return batch, call_size + characters

    def hand_out(self, batch: list[Part], results: list[list[Any] | Exception]) -> None:
        """Add the results of a batch to their jobs; a job with all its results is done."""
        for (job, _), result in zip(batch, results, strict=True):
            if isinstance(result, Exception):
                self.drop(job)
                if not job.done.done():
                    job.done.set_exception(result)
                continue
            job.found += result
            if len(job.found) == len(job.inputs) and not job.done.done():
                job.done.set_result(job.found)

    async def run(self) -> None:
        """Score inputs as they arrive, until cancelled."""
        n_together = 1
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.jobs:
                if n_together > 1:
                    # Clients that were answered together send their next requests together.
                    await asyncio.sleep(MOMENT)
                self.drop_unwanted()
                batch, characters = self.take()
                n_together = len(batch)
                if not batch:
                    break
                if characters > QUICK_CHARACTERS:
                    results = await asyncio.to_thread(score_parts, batch)
                else:
                    results = score_parts(batch)
                self.hand_out(batch, results)
                # Let the loop read requests that arrived meanwhile.
                await asyncio.sleep(0)
