"""Whether a stored model and the schema of params.yaml describe the same."""

from pathlib import Path

from sklearn.pipeline import Pipeline

from core.errors import UserError
from models.inputs import list_inputs, list_orders
from models.scoring import check_labels
from records.schema import Schema
from records.tasks import TASKS


def check_model(model: Pipeline, schema: Schema, path: Path) -> None:
    """Raise ``UserError`` if a model does not predict what the schema describes from its columns.

    Parameters
    ----------
    model : Pipeline
        The model.
    schema : Schema
        Of params.yaml.
    path : Path
        The model's file, for messages.
    """
    fix = "use the params.yaml that the model was built with"
    found = list(getattr(model, "classes_", []))
    if TASKS[schema.task].has_classes:
        check_labels(model, schema.classes or found or ["?"], path)
    elif found:
        raise UserError(
            f"{path} predicts the labels {', '.join(found)}, but schema.task is {schema.task}", fix
        )
    kinds = list_inputs(model)
    if schema.is_messages and not kinds:
        return
    wanted = {column: schema.kinds[column] for column in schema.features}
    if wanted != kinds:
        for column in [*wanted, *kinds]:
            ours, theirs = wanted.get(column, "no feature"), kinds.get(column, "no feature")
            if ours != theirs:
                raise UserError(
                    f"column {column!r} is {ours} in section schema of params.yaml, but {theirs} "
                    f"of {path}",
                    fix,
                )
    orders = list_orders(model)
    for each in schema.ordinal:
        if orders[each.column] != each.order:
            raise UserError(
                f"the order of {each.column!r} is {', '.join(each.order)} in section schema of "
                f"params.yaml, but {', '.join(orders[each.column])} in {path}",
                fix,
            )
