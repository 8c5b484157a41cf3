"""Score the messages of many requests together: most of a small call's time is its overhead."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from common.scoring import score_texts
from service.serving_model import ServingModel

# About 10 ms of work, in which nothing else is answered.
BATCH_TEXTS = 64
BATCH_CHARACTERS = 8_000
# Seconds to wait for company: with 32 clients it makes the batches three times as large.
MOMENT = 0.0005
# A second's work or two. Whoever comes then is asked to come again.
MAX_WAITING = 5_000
MAX_WAITING_CHARACTERS = 500_000


class OverloadError(Exception):
    """More messages wait than can be scored soon."""


@dataclass(eq=False)
class Job:
    """The messages of one request, and the probabilities found so far."""

    model: ServingModel
    texts: list[str]
    done: asyncio.Future[list[float]]
    found: list[float] = field(default_factory=list)


class Batcher:
    """Scores what waits, a batch at a time, in the order in which it came."""

    def __init__(self) -> None:
        self.jobs: deque[Job] = deque()
        self.waiting = 0
        self.waiting_characters = 0
        self.wake = asyncio.Event()

    @property
    def is_overloaded(self) -> bool:
        """Whether new messages are refused."""
        return self.waiting >= MAX_WAITING or self.waiting_characters >= MAX_WAITING_CHARACTERS

    async def score(self, model: ServingModel, texts: list[str]) -> list[float]:
        """Return the probability of the positive label for each message.

        Raises
        ------
        OverloadError
            If too many messages wait already.
        """
        if self.is_overloaded:
            raise OverloadError
        job = Job(model, texts, asyncio.get_running_loop().create_future())
        self.jobs.append(job)
        self.waiting += len(texts)
        self.waiting_characters += sum(map(len, texts))
        self.wake.set()
        return await job.done

    def take(self) -> list[tuple[Job, list[str]]]:
        """Take the messages of a batch: parts of one job or several, all for one model.

        Each job in turn gives what fits, so that a large one does not keep small ones waiting.
        """
        batch: list[tuple[Job, list[str]]] = []
        texts = characters = 0
        for _ in range(len(self.jobs)):
            job = self.jobs[0]
            if batch and job.model is not batch[0][0].model:
                break
            part: list[str] = []
            for text in job.texts[len(job.found) :]:
                if texts == BATCH_TEXTS or (texts and characters + len(text) > BATCH_CHARACTERS):
                    break
                part.append(text)
                texts, characters = texts + 1, characters + len(text)
            if not part:
                break
            batch.append((job, part))
            self.jobs.popleft()
            if len(job.found) + len(part) < len(job.texts):
                self.jobs.append(job)
        self.waiting -= texts
        self.waiting_characters -= characters
        return batch

    def finish(self, batch: list[tuple[Job, list[str]]]) -> None:
        """Score a batch, and hand out the results of jobs that are complete."""
        model = batch[0][0].model
        texts = [text for _, part in batch for text in part]
        try:
            found = score_texts(model.pipeline, model.labels.positive, texts).tolist()
        except Exception as error:  # noqa: BLE001  (it is for those who wait, not for the loop)
            for job, part in batch:
                if not job.done.done():
                    job.done.set_exception(error)
                if job in self.jobs:
                    self.jobs.remove(job)
                    rest = job.texts[len(job.found) + len(part) :]
                    self.waiting -= len(rest)
                    self.waiting_characters -= sum(map(len, rest))
            return
        for job, part in batch:
            job.found += found[: len(part)]
            found = found[len(part) :]
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
                batch = self.take()
                n_together = len(batch)
                self.finish(batch)
                # Requests that came meanwhile are read before the next batch is made.
                await asyncio.sleep(0)
