"""What the service is told when it starts."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where the model and what is known of it stand, and what the service may do.

    Attributes
    ----------
    model, points, params, metrics, intervals, plots, lock : Path
        The model, its operating points, the parameters, what the evaluation measured, and dvc.lock,
        which tells whether these belong together.
    folder : Path
        Private and writable; holds the last model that could be loaded.
    threshold, max_fpr : float or None
        The operating point, or the false-positive rate to find it for; else the parameters'.
    token : str
        What a client must send as bearer token; empty: nothing.
    feedback_url : str
        SQLAlchemy URL of the database for feedback; empty: none is taken.
    allow_changed_code : bool
        Whether a model that answers its self-test otherwise is served all the same.
    logs_messages : bool
        Whether the log may hold the messages that are scored.
    seconds : float
        How long a client may take to send a request.
    hosts : frozenset of str
        The names under which the service may be asked; empty: any.
    """

    model: Path
    points: Path
    params: Path
    metrics: Path
    intervals: Path
    plots: Path
    lock: Path
    folder: Path
    threshold: float | None = None
    max_fpr: float | None = None
    token: str = field(default="", repr=False)
    feedback_url: str = field(default="", repr=False)
    allow_changed_code: bool = False
    logs_messages: bool = False
    seconds: float = 10.0
    hosts: frozenset[str] = frozenset()
