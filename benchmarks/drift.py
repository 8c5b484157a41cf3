"""Measure how often drift is reported that is none, and how often it is found: prints tables.

Run: python benchmarks/drift.py

The model is fitted on 60% of the messages (near-duplicates stay together). The others are held out:
reference and batch are drawn from them at random in each repetition, so both are new to the model.
They share no row; only where a batch is larger than what is left, both are drawn with replacement.
Drift is mixed into batches of 1,000. A campaign is spam of a kind that the corpus does not have:
one template, filled in differently each time. The last tables are of made-up columns of a table.

Exit status 1 if more than 1.5% of the batches without drift raise an alarm, or if too few of those
with drift do.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from benchmarks.corpus import require_corpus  # noqa: E402
from commands.learning_curve import choose_rows, read_settings  # noqa: E402
from core.markdown import align_table  # noqa: E402
from core.params import read_params  # noqa: E402
from core.paths import TEST_SET, TRAINING_SET  # noqa: E402
from features.branches import assemble  # noqa: E402
from models.description import CardParams, Description, describe_model  # noqa: E402
from models.predictions import PREDICTIONS  # noqa: E402
from models.training import fit_table  # noqa: E402
from monitoring import comparison  # noqa: E402
from monitoring.comparison import find_drift  # noqa: E402
from monitoring.signals import UNSEEN, Signal, list_signals, measure_signals  # noqa: E402
from monitoring.trigrams import Trigrams, learn_trigrams  # noqa: E402
from records.validation_params import ValidationParams  # noqa: E402

FITTED_SHARE = 0.6
# As many as the test set of the pipeline has.
N_REFERENCE = 1032
SIZES = (50, 100, 200, 1000, 5000)
# Of a batch with drift.
N_ROWS = 1000
MOST_ALARMS = 0.015
GOAL_SIZES = (100, 200, 1000, 5000)
# Shares of batches with drift that have to raise an alarm.
LEAST_MORE_SPAM, LEAST_CAMPAIGNS, LEAST_LANGUAGE = 0.85, 0.75, 0.99
TABLE_REFERENCES, TABLE_SIZES = (1032, 10_000), (100, 1000, 100_000)
# The least and the largest share of batches that may raise an alarm; the least is of 1,000 or more.
TABLE_GOALS = {
    "": (0, 0.02),
    "size moves by 0.05 deviations": (0, 0.05),
    "size moves by 0.3 deviations": (0.99, 1),
    "prices 10% higher": (0, 1),
    "prices in cents": (0.99, 1),
    "3% more missing prices": (0.5, 1),
    "5% of the colours change": (0, 1),
    "2% in new towns": (0.9, 1),
}
CAMPAIGNS = {
    "parcel": "Royal Post: parcel {number} waits for a fee of {pounds}.99, pay at rp{digit}.top",
    "bank": "{bank} ALERT: new payee added {time}. If NOT you visit secure-{bank}{digit}.info now",
    "new phone": "Hi mum its me, phone broke, new nr {phone}, can u send {pounds}0 for rent, x",
    "crypto": "Join {number} who trade crypto w our AI bot, {pounds}% weekly: t.me/gain{digit}",
    "streaming": "Your streaming plan ends {time}, update card at my-tv{digit}.live now",
}
LANGUAGES = {
    "German": (
        "Ich komme heute etwas später | Hast du schon gegessen? | Bis morgen am Bahnhof | "
        "Kannst du mich bitte anrufen | Der Zug hat wieder Verspätung | Danke, das war sehr lieb | "
        "Wann fängt der Film an? | Bring bitte Brot und Milch mit | Ich bin gleich zu Hause | "
        "Alles Gute zum Geburtstag | Wo bist du gerade? | Bis später, ich freue mich"
    ),
    "Spanish": (
        "Llego un poco tarde, lo siento | Quieres cenar conmigo esta noche? | Nos vemos mañana | "
        "Puedes llamarme cuando salgas | Ya estoy en casa, todo bien | Muchas gracias por todo | "
        "A qué hora empieza la clase? | Compra leche y huevos por favor | Qué tal tu día? | "
        "Feliz cumpleaños, un abrazo | Dónde estás ahora mismo? | Te espero en la estación"
    ),
}


@dataclass(frozen=True)
class Population:
    """A model, and the signals of messages that it was not fitted on."""

    model: Pipeline
    description: Description
    seen: dict[str, Trigrams]
    signals: list[Signal]
    rows: pd.DataFrame
    is_positive: np.ndarray

    def measure(self, texts: list[str]) -> pd.DataFrame:
        """Return the signals of other messages."""
        predicted = PREDICTIONS["binary"].score(self.model, self.description.classes, texts)
        return measure_signals(self.model, self.description, texts, predicted, self.seen)


def build_population(params: Path) -> Population:
    """Fit the model of the parameters on some of the corpus, and measure the rest."""
    settings, tables = read_settings(params), [ROOT / TRAINING_SET, ROOT / TEST_SET]
    for path in tables:
        require_corpus(path)
    train, test = map(pd.read_parquet, tables)
    test["group"] += train["group"].max() + 1
    df = pd.concat([train, test], ignore_index=True)
    rng = np.random.default_rng(0)
    fitted = choose_rows(df["group"].to_numpy(), FITTED_SHARE, rng)
    is_fitted = np.isin(np.arange(len(df)), fitted)
    held_out = df[~is_fitted].reset_index(drop=True)
    df = df[is_fitted].reset_index(drop=True)
    schema = settings.schema
    columns, estimator = fit_table(
        df, schema, settings.features, settings.text, settings.model, settings.split
    )
    steps = assemble(schema, columns, settings.text).steps
    model = Pipeline([*steps, ("classifier", estimator)])
    values = read_params(params, "data_validation", ValidationParams)
    card = read_params(params, "model", CardParams)
    description = describe_model(model, df, schema, values, card)
    text = schema.text[0]
    seen = {text: learn_trigrams(df[text].tolist())}
    is_positive = (held_out[schema.target] == schema.positive).to_numpy()
    population = Population(
        model, description, seen, list_signals(description), pd.DataFrame(), is_positive
    )
    rows = population.measure(held_out[text].tolist())
    return Population(model, description, seen, population.signals, rows, is_positive)


def write_campaign(template: str, n: int, rng: np.random.Generator) -> list[str]:
    """Return messages of one campaign."""
    return [
        template.format(
            number=rng.integers(1000, 99999),
            digit=rng.integers(1, 9),
            pounds=rng.integers(1, 9) * 10,
            bank=rng.choice(["Barclays", "HSBC", "Lloyds", "Halifax"]),
            time=f"{rng.integers(1, 24)}:{rng.integers(10, 60)}",
            phone=f"07{rng.integers(10**8, 10**9)}",
        )
        for _ in range(n)
    ]


def write_language(sentences: str, n: int, rng: np.random.Generator) -> list[str]:
    """Return messages of one to three sentences."""
    each = sentences.split(" | ")
    return [" ".join(rng.choice(each, rng.integers(1, 4))) for _ in range(n)]


def draw(n_all: int, n_batch: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the reference and of a batch."""
    if N_REFERENCE + n_batch <= n_all:
        order = rng.permutation(n_all)
        return order[:N_REFERENCE], order[N_REFERENCE : N_REFERENCE + n_batch]
    return rng.integers(0, n_all, N_REFERENCE), rng.integers(0, n_all, n_batch)


# Returns the rows of a batch of the given size, from places of rows that are not the reference's.
Mix = Callable[[np.ndarray, int, np.random.Generator], pd.DataFrame]


def mix_more_spam(population: Population) -> Mix:
    """Return what makes batches of which 20% are spam, instead of 13%."""

    def mix(rest: np.ndarray, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
        is_spam = population.is_positive[rest]
        n_spam = round(0.2 * n_rows)
        spam = rng.choice(rest[is_spam], n_spam, replace=n_spam > is_spam.sum())
        n_ham = n_rows - n_spam
        ham = rng.choice(rest[~is_spam], n_ham, replace=n_ham > (~is_spam).sum())
        return population.rows.iloc[np.concatenate([spam, ham])]

    return mix


def mix_others(population: Population, others: pd.DataFrame, share: float) -> Mix:
    """Return what makes batches with some rows of others."""

    def mix(rest: np.ndarray, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
        n_others = round(share * n_rows)
        n_usual = n_rows - n_others
        usual = rng.choice(rest, n_usual, replace=n_usual > len(rest))
        chosen = others.iloc[rng.choice(len(others), n_others)]
        return pd.concat([population.rows.iloc[usual], chosen])

    return mix


def alarms(signals: list[Signal], reference: pd.DataFrame, batch: pd.DataFrame) -> bool:
    """Return whether a comparison reports drift."""
    return any(each.is_drift for each in find_drift(signals, reference, batch))


def measure_false_alarms(population: Population, n_rows: int, repeats: int) -> float:
    """Return the share of batches without drift that raise an alarm."""
    rng, n_alarms = np.random.default_rng(n_rows), 0
    for _ in range(repeats):
        chosen, batch = draw(len(population.rows), n_rows, rng)
        tables = population.rows.iloc[chosen], population.rows.iloc[batch]
        n_alarms += alarms(population.signals, *tables)
    return n_alarms / repeats


def measure_detection(population: Population, mix: Mix, n_rows: int, repeats: int) -> float:
    """Return the share of batches with drift that raise an alarm."""
    rng, n_alarms = np.random.default_rng(n_rows), 0
    for _ in range(repeats):
        order = rng.permutation(len(population.rows))
        reference = population.rows.iloc[order[:N_REFERENCE]]
        batch = mix(order[N_REFERENCE:], n_rows, rng)
        n_alarms += alarms(population.signals, reference, batch)
    return n_alarms / repeats


# Columns of a made-up table: a number, a skewed one with gaps, one of few values, three categories.
TABLE = [
    Signal(name="size", kind="number", may_lack=True, low=-4, high=4),
    Signal(name="price", kind="number", may_lack=True, low=0, high=1000),
    Signal(name="rooms", kind="number", may_lack=True, low=1, high=9),
    Signal(name="colour", kind="category", may_lack=True),
    Signal(name="town", kind="category", may_lack=True),
    Signal(name="grade", kind="ordinal", may_lack=True, low=0, high=4, order=list("abcde")),
    Signal(name="predicted", kind="number"),
]


def make_table(n_rows: int, rng: np.random.Generator, drift: str = "") -> pd.DataFrame:
    """Return made-up rows, with drift of one kind."""
    size = rng.normal(0, 1, n_rows)
    price = rng.lognormal(3, 1, n_rows)
    price[rng.random(n_rows) < (0.05 if drift == "3% more missing prices" else 0.02)] = np.nan
    if drift == "prices 10% higher":
        price *= 1.1
    if drift == "prices in cents":
        price *= 100
    shares = [0.5, 0.3, 0.15, 0.05]
    if drift == "5% of the colours change":
        shares = [0.45, 0.35, 0.15, 0.05]
    towns = np.minimum(rng.zipf(1.5, n_rows), 500).astype(str).astype(object)
    if drift == "2% in new towns":
        towns[rng.random(n_rows) < 0.02] = UNSEEN
    shift = {"size moves by 0.3 deviations": 0.3, "size moves by 0.05 deviations": 0.05}
    return pd.DataFrame(
        {
            "size": size + shift.get(drift, 0),
            "price": price,
            "rooms": rng.binomial(8, 0.4, n_rows) + 1.0,
            "colour": rng.choice(["red", "green", "blue", "grey"], n_rows, p=shares),
            "town": towns,
            "grade": rng.binomial(4, 0.5, n_rows).astype(float),
            "predicted": size + rng.normal(0, 1, n_rows),
        }
    )


def measure_table(n_reference: int, n_rows: int, drift: str, repeats: int) -> float:
    """Return the share of batches of the made-up table that raise an alarm."""
    rng = np.random.default_rng(n_rows)
    found = [
        alarms(TABLE, make_table(n_reference, rng), make_table(n_rows, rng, drift))
        for _ in range(repeats)
    ]
    return float(np.mean(found))


@dataclass
class Goals:
    """The goals that were missed."""

    missed: list[str] = field(default_factory=list)

    def check(self, what: str, found: float, is_reached: bool) -> str:
        """Return a share as text, and remember it if it misses its goal."""
        if not is_reached:
            self.missed.append(f"{what}: {found:.1%}")
        return f"{found:.1%}"


def list_kinds(population: Population) -> dict[str, tuple[Mix, float]]:
    """Return the kinds of drift of messages, each with the share of batches that must be found."""
    rng = np.random.default_rng(0)
    kinds = {"20% spam instead of 13%": (mix_more_spam(population), LEAST_MORE_SPAM)}
    for name, template in CAMPAIGNS.items():
        others = population.measure(write_campaign(template, 500, rng))
        kinds[f"5% of a new campaign: {name}"] = (mix_others(population, others, 0.05), 0)
    for name, sentences in LANGUAGES.items():
        others = population.measure(write_language(sentences, 500, rng))
        kinds[f"10% in {name}"] = (mix_others(population, others, 0.1), LEAST_LANGUAGE)
    return kinds


def print_messages(population: Population, repeats: int, goals: Goals) -> None:
    """Print the alarms of batches of messages."""
    cells = []
    for size in SIZES:
        found = measure_false_alarms(population, size, repeats)
        is_reached = found <= MOST_ALARMS or size not in GOAL_SIZES
        cells.append(goals.check(f"false alarms of {size:,} messages", found, is_reached))
    rows = [["", *(f"{size:,}" for size in SIZES)], ["no drift", *cells]]
    campaigns = []
    for name, (mix, least) in list_kinds(population).items():
        cells = []
        for size in SIZES:
            found = measure_detection(population, mix, size, repeats // 5)
            is_reached = found >= least or size != N_ROWS
            cells.append(goals.check(f"{name}, {size:,} messages", found, is_reached))
            if size == N_ROWS and "campaign" in name:
                campaigns.append(found)
        rows.append([name, *cells])
    mean = float(np.mean(campaigns))
    shown = goals.check("campaigns", mean, mean >= LEAST_CAMPAIGNS)
    print(f"Alarms by messages in a batch, {N_REFERENCE:,} messages in the reference\n")
    print(f"{align_table(rows)}\n\nThe campaigns together, {N_ROWS:,} messages: {shown}\n")


def print_table(repeats: int, goals: Goals) -> None:
    """Print the alarms of batches of the made-up table."""
    sizes = [(n, size) for n in TABLE_REFERENCES for size in TABLE_SIZES]
    rows = [["", *(f"{n:,} and {size:,}" for n, size in sizes)]]
    for drift, (least, most) in TABLE_GOALS.items():
        cells = []
        for n, size in sizes:
            found = measure_table(n, size, drift, repeats // (20 if drift else 2))
            is_reached = found <= most and (found >= least or size < N_ROWS)
            what = f"table, {drift or 'no drift'}, {n:,} and {size:,}"
            cells.append(goals.check(what, found, is_reached))
        rows.append([drift or "no drift", *cells])
    print("Alarms of a made-up table, by rows in the reference and in the batch\n")
    print(align_table(rows))


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description="Print how often drift is reported.")
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml")
    parser.add_argument("--repeats", type=int, default=1000, help="batches without drift (1000)")
    args = parser.parse_args()
    goals = Goals()
    # To show why smaller batches are refused.
    comparison.MIN_ROWS = min(SIZES)
    print_messages(build_population(args.params), args.repeats, goals)
    print_table(args.repeats, goals)
    if goals.missed:
        sys.exit(f"goals missed: {'; '.join(goals.missed)}")


if __name__ == "__main__":
    main()
