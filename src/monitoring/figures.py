"""Draw the distributions of signals: those of the test set beside those of new data."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from evaluation.figures import NEGATIVE, POSITIVE, cut, make_axes
from monitoring.comparison import BINS
from monitoring.signals import Signal, show_value

REFERENCE, BATCH = "test set", "new data"
COLOURS = (NEGATIVE, POSITIVE)
N_BINS = 30
# What lies further out is drawn in the first and the last bin.
SHOWN_QUANTILES = (0.005, 0.995)
# Bars of so many values; the others are one bar more.
MAX_BARS = 10
# So many bars have room for their share.
MAX_LABELLED = 4
OTHERS, MISSING = "(others)", "(missing)"


def draw_signal(signal: Signal, reference: pd.Series, batch: pd.Series) -> Figure:
    """Draw one signal of both tables, as shares of their rows."""
    figure, axes = make_axes(signal.name, "", "share of rows")
    DRAWINGS[signal.kind](axes, signal, reference, batch)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.legend()
    return figure


def draw_numbers(axes: Axes, signal: Signal, reference: pd.Series, batch: pd.Series) -> None:
    """Draw two histograms with the same bins."""
    pair = [values.dropna().to_numpy(float) for values in (reference, batch)]
    ends = [np.quantile(values, SHOWN_QUANTILES) for values in pair if len(values)]
    if not ends:
        return
    low, high = min(each[0] for each in ends), max(each[1] for each in ends)
    if not low < high:
        high = low + 1
    edges = np.linspace(low, high, N_BINS + 1)
    for values, colour, label in zip(pair, COLOURS, (REFERENCE, BATCH), strict=True):
        heights, _ = np.histogram(np.clip(values, low, high), edges)
        shares = heights / max(len(values), 1)
        axes.stairs(shares, edges, color=colour, fill=True, alpha=0.25)
        axes.stairs(shares, edges, color=colour, label=label, linewidth=1.5)
    if signal.kind == "date":
        axes.locator_params(axis="x", nbins=4)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: show_value(signal, value)))


def draw_bins(axes: Axes, _: Signal, reference: pd.Series, batch: pd.Series) -> None:
    """Draw bars of the bins in which probabilities are compared."""
    names = [f"{low:g} to {high:g}" for low, high in pairwise([0, *BINS, 1])]
    shares = [
        np.bincount(np.digitize(values, BINS), minlength=len(names)) / len(values)
        for values in (reference, batch)
    ]
    draw_bars(axes, names, shares)


def draw_values(axes: Axes, signal: Signal, reference: pd.Series, batch: pd.Series) -> None:
    """Draw bars of the most frequent values, ordinal ones in their order."""
    if signal.order:
        order = dict(enumerate(signal.order))
        reference, batch = reference.map(order), batch.map(order)
    elif signal.kind == "flag":
        reference, batch = (values.map({True: "yes", False: "no"}) for values in (reference, batch))
    pair = [values.astype(object).where(values.notna(), MISSING) for values in (reference, batch)]
    counts = pd.concat([values.value_counts(normalize=True) for values in pair], axis=1).fillna(0)
    counts = counts.loc[counts.max(axis=1).sort_values(ascending=False, kind="stable").index]
    shown = counts[:MAX_BARS]
    if signal.order:
        shown = shown.reindex([each for each in [*signal.order, MISSING] if each in shown.index])
    if len(counts) > MAX_BARS:
        shown = pd.concat([shown, counts[MAX_BARS:].sum().to_frame(OTHERS).T])
    draw_bars(axes, [cut(str(name)) for name in shown.index], shown.to_numpy().T)


def draw_bars(axes: Axes, names: list[str], shares: list[np.ndarray] | np.ndarray) -> None:
    """Draw pairs of bars."""
    places = np.arange(len(names))
    for of_one, colour, label, side in zip(
        shares, COLOURS, (REFERENCE, BATCH), (-0.2, 0.2), strict=True
    ):
        bars = axes.bar(places + side, of_one, 0.4, color=colour, label=label)
        if len(names) <= MAX_LABELLED:
            axes.bar_label(bars, fmt="{:.1%}", size=8)
    # Room for the legend.
    axes.set_ylim(0, 1.3 * max(0.01, *(of_one.max(initial=0) for of_one in shares)))
    is_long = sum(map(len, names)) > 50
    axes.set_xticks(places, names, parse_math=False)
    if is_long:
        left, bottom, width, height = axes.get_position().bounds
        axes.set_position((left, bottom + 0.13, width, height - 0.13))
        axes.set_xticklabels(names, rotation=30, ha="right", rotation_mode="anchor", size=8)


DRAWINGS: dict[str, Callable[[Axes, Signal, pd.Series, pd.Series], None]] = {
    "probability": draw_bins,
    "label": draw_values,
    "number": draw_numbers,
    "date": draw_numbers,
    "ordinal": draw_values,
    "category": draw_values,
    "share": draw_numbers,
    "flag": draw_values,
}
