"""The settings of the service, from its command line and environment."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where the files of the model are, and what the service may do.

    Attributes
    ----------
    model, points, params, reports, lock : Path
        The model, its operating points, the parameters, the folder of the results, and dvc.lock,
        which records whether these belong together.
    folder : Path
        Private and writable, for the last model that could be loaded.
    threshold, max_fpr : float or None
        The threshold, or the highest false-positive rate it may have; if neither, params.yaml's.
    coverage : float or None
        The share of numbers within their interval; None: params.yaml's.
    token : str
        The bearer token that clients must send; empty: none is needed.
    feedback_url : str
        SQLAlchemy URL of the database for feedback; empty: feedback is off.
    allow_changed_code : bool
        Whether to serve a model that fails its self-test because the code has changed.
    logs_messages : bool
        Whether the log may contain the messages or rows that are scored.
    seconds : float
        How long a client may take to send a request.
    hosts : frozenset of str
        The host names that requests may use; empty: any.
    """

    model: Path
    points: Path
    params: Path
    reports: Path
    lock: Path
    folder: Path
    threshold: float | None = None
    max_fpr: float | None = None
    coverage: float | None = None
    token: str = field(default="", repr=False)
    feedback_url: str = field(default="", repr=False)
    allow_changed_code: bool = False
    logs_messages: bool = False
    seconds: float = 10.0
    hosts: frozenset[str] = frozenset()
