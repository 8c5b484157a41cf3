"""The usual endpoint: FastAPI, and a call of the model for each request."""

from fastapi import FastAPI
from peer_model import load, predict
from pydantic import BaseModel

app = FastAPI()
model = load()


class Message(BaseModel):
    """The body of a request."""

    text: str


@app.post("/predict")
async def answer(message: Message) -> dict[str, str | float]:
    """Score a message; without ``async`` a thread would do it, which is slower."""
    return predict(model, [message.text])[0]
