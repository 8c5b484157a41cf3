"""The cards of a model and of its data: whose they are, new ones from a template, metadata."""

from pathlib import Path

import jinja2
import yaml
from pydantic import ConfigDict

from core.backups import keep_previous
from core.errors import UserError
from core.files import write_text
from core.params import Params, read_params
from evaluation.result_tables import PARAMS, read_report
from records.schema import Schema
from records.tasks import TASKS

# The cards, and what a new one is made from.
TEMPLATES = {
    Path("models/README.md"): Path(__file__).with_name("model_card.md.jinja"),
    Path("data/README.md"): Path(__file__).with_name("data_card.md.jinja"),
}
# The key of a card's front matter that names the model which the card describes.
OWNER = "model_name"
# What the Hugging Face Hub calls our metrics.
HUB_METRICS = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "f1",
    "macro_f1": "f1_macro",
    "mcc": "matthews_correlation",
    "roc_auc": "roc_auc",
    "r2": "r_squared",
    "mae": "mae",
    "rmse": "rmse",
}
# Data sets that the Hub has, by the name of the model.
HUB_DATASETS = {"sms-spam": {"type": "ucirvine/sms_spam", "name": "SMS Spam Collection"}}


class NameParams(Params):
    """The name of the model, from section ``model`` of params.yaml."""

    model_config = ConfigDict(extra="ignore")

    name: str


def read_name() -> str:
    """Return the name of the model in params.yaml."""
    return read_params(PARAMS, "model", NameParams).name


def read_owner(path: Path) -> str:
    """Return the name of the model that a card describes; '' if the card does not say."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if not text.startswith("---\n"):
        return ""
    try:
        front_matter = yaml.safe_load(text.split("---\n", 2)[1])
    except yaml.YAMLError as error:
        raise UserError(f"{path}: the front matter is not valid YAML ({error})") from error
    return str(front_matter.get(OWNER, "")) if isinstance(front_matter, dict) else ""


def list_others() -> list[Path]:
    """Return the cards that describe another model than that of params.yaml."""
    name = read_name()
    return [path for path in TEMPLATES if read_owner(path) not in ("", name)]


def make_card(path: Path) -> str:
    """Return a new card for the model of params.yaml, its blocks still empty."""
    schema = read_params(PARAMS, "schema", Schema)
    environment = jinja2.Environment(
        trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string(TEMPLATES[path].read_text(encoding="utf-8"))
    return template.render(
        name=read_name(),
        is_disguised=schema.is_messages and schema.positive is not None,
        has_columns=not schema.is_messages,
    )


def replace_card(path: Path, content: str) -> str:
    """Write a new card; keep one that Git does not have beside it; return what was done."""
    kept = f"; {keep_previous(path, content)}" if path.exists() else ""
    write_text(content, path)
    return f"{path} is a new card for {read_name()}{kept}"


def describe_metadata() -> str:
    """Return the model's results as the Hugging Face Hub reads them, in YAML."""
    schema = read_params(PARAMS, "schema", Schema)
    name = read_name()
    kind = "classification" if TASKS[schema.task].has_classes else "regression"
    task = f"{'text' if schema.is_messages and schema.labels else 'tabular'}-{kind}"
    measured = read_report("metrics")["test"]
    metrics = [
        {"type": hub, "value": measured[ours]}
        for ours, hub in HUB_METRICS.items()
        if ours in measured
    ]
    data = f"{name}-data"
    results = {
        "task": {"type": task},
        "dataset": {**HUB_DATASETS.get(name, {"type": data, "name": data}), "split": "test"},
        "metrics": metrics,
    }
    content = {
        "pipeline_tag": task,
        "metrics": [metric["type"] for metric in metrics],
        "model-index": [{"name": name, "results": [results]}],
    }
    return yaml.safe_dump(content, sort_keys=False).rstrip()
