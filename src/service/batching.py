"""Score the messages of many requests together: most of a small call's time is its overhead."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from models.scoring import score_texts
from service.serving_model import ServingModel

# About 10 ms of ordinary work, and at most 70 ms if every word is an odd one.
BATCH_TEXTS = 64
BATCH_CHARACTERS = 8_000
# A longer batch is scored in a thread, so that the process answers other requests meanwhile.
QUICK_CHARACTERS = 4_000
# Seconds to wait for company: with 32 clients it makes the batches three times as large.
MOMENT = 0.0005
# A second's work, or three at worst. Whoever comes then is asked to come again.
MAX_WAITING = 5_000
MAX_WAITING_CHARACTERS = 500_000


class OverloadError(Exception):
    """More messages wait than can be scored soon."""


class ClientLeftError(Exception):
    """Nobody waits for the answer any more."""


@dataclass(eq=False)
class Job:
    """The messages of one request, and the probabilities found so far.

    Attributes
    ----------
    sizes : sequence of int
        What each message costs, in characters.
    has_left : callable
        Whether the client has gone away.
    n_taken : int
        How many of the messages are scored or in a batch that is being scored.
    """

    model: ServingModel
    texts: list[str]
    sizes: Sequence[int]
    has_left: Callable[[], bool]
    done: asyncio.Future[list[float]]
    found: list[float] = field(default_factory=list)
    n_taken: int = 0


# A job and those of its messages that a batch takes.
Part = tuple[Job, list[str]]


def never() -> bool:
    """Return that a client has not left, for callers that cannot know."""
    return False


def score_parts(batch: list[Part]) -> list[list[float] | Exception]:
    """Return the probabilities of each part of a batch, or why there are none.

    If scoring them together fails, each is scored alone: an error is for its own request only.
    """
    model = batch[0][0].model
    texts = [text for _, part in batch for text in part]
    try:
        found = score_texts(model.pipeline, model.labels.positive, texts).tolist()
    except Exception as error:  # noqa: BLE001  (it is for those who wait, not for the loop)
        return [error] if len(batch) == 1 else [score_parts([one])[0] for one in batch]
    results = []
    for _, part in batch:
        results.append(found[: len(part)])
        found = found[len(part) :]
    return results


class Batcher:
    """Scores what waits, a batch at a time, in the order in which it came."""

    def __init__(self) -> None:
        self.jobs: deque[Job] = deque()
        self.waiting = 0
        self.waiting_characters = 0
        self.wake = asyncio.Event()

    def has_room(self, n_texts: int, n_characters: int) -> bool:
        """Return whether so much more may wait; a single request always may."""
        return not self.waiting or (
            self.waiting + n_texts <= MAX_WAITING
            and self.waiting_characters + n_characters <= MAX_WAITING_CHARACTERS
        )

    async def score(
        self,
        model: ServingModel,
        texts: list[str],
        sizes: Sequence[int],
        has_left: Callable[[], bool] = never,
    ) -> list[float]:
        """Return the probability of the positive label for each message.

        Raises
        ------
        OverloadError
            If too many messages would wait.
        ClientLeftError
            If the client went away before all were scored.
        """
        if not self.has_room(len(texts), sum(sizes)):
            self.drop_unwanted()
        if not self.has_room(len(texts), sum(sizes)):
            raise OverloadError
        job = Job(model, texts, sizes, has_left, asyncio.get_running_loop().create_future())
        self.jobs.append(job)
        self.waiting += len(texts)
        self.waiting_characters += sum(sizes)
        self.wake.set()
        return await job.done

    def drop(self, job: Job) -> None:
        """Remove a job, should it have messages that wait."""
        if job in self.jobs:
            self.jobs.remove(job)
            self.waiting -= len(job.texts) - job.n_taken
            self.waiting_characters -= sum(job.sizes[job.n_taken :])

    def drop_unwanted(self) -> None:
        """Remove the jobs that nobody waits for."""
        for job in [job for job in self.jobs if job.has_left() or job.done.done()]:
            self.drop(job)
            if not job.done.done():
                job.done.set_exception(ClientLeftError())

    def take(self) -> tuple[list[Part], int]:
        """Take the messages of a batch; return them and the number of their characters.

        They are parts of one job or several, all for one model. Each job in turn gives what fits,
        so that a large one does not keep small ones waiting.
        """
        batch: list[Part] = []
        texts = characters = 0
        for _ in range(len(self.jobs)):
            job = self.jobs[0]
            if batch and job.model is not batch[0][0].model:
                break
            start = end = job.n_taken
            for size in job.sizes[start:]:
                if texts == BATCH_TEXTS or (texts and characters + size > BATCH_CHARACTERS):
                    break
                texts, characters, end = texts + 1, characters + size, end + 1
            if end == start:
                break
            job.n_taken = end
            batch.append((job, job.texts[start:end]))
            self.jobs.popleft()
            if end < len(job.texts):
                self.jobs.append(job)
        self.waiting -= texts
        self.waiting_characters -= characters
        return batch, characters

    def hand_out(self, batch: list[Part], results: list[list[float] | Exception]) -> None:
        """Give the results of a batch to those who wait, once they have all of theirs."""
        for (job, _), result in zip(batch, results, strict=True):
            if isinstance(result, Exception):
                self.drop(job)
                if not job.done.done():
                    job.done.set_exception(result)
                continue
            job.found += result
            if len(job.found) == len(job.texts) and not job.done.done():
                job.done.set_result(job.found)

    async def run(self) -> None:
        """Score what comes, until cancelled."""
        n_together = 1
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.jobs:
                if n_together > 1:
                    # Those who were answered together ask again together, or nearly so.
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
                # Requests that came meanwhile are read before the next batch is made.
                await asyncio.sleep(0)
