"""What params.yaml says of the data, as far as using a model needs it."""

from pydantic import ConfigDict

from core.params import Params


class Labels(Params):
    """The two labels, as the data spells them."""

    negative: str
    positive: str


class DataParams(Params):
    """The column that holds the messages, and the labels."""

    model_config = ConfigDict(extra="ignore")

    text_column: str
    labels: Labels
