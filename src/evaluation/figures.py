"""Plots of an evaluation as PNG files; equal numbers give equal bytes."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from core.files import atomic_path

# Okabe and Ito's palette, which colour-blind readers can distinguish.
NEGATIVE, POSITIVE, NEUTRAL = "#0072b2", "#d55e00", "#777777"
LINES = [POSITIVE, NEGATIVE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#f0e442"]

# The most characters of a label that the confusion matrix has room for.
SHOWN_LENGTH = 16


def cut(label: str) -> str:
    """Return a label, its end left out if it is long."""
    return label if len(label) <= SHOWN_LENGTH else f"{label[: SHOWN_LENGTH - 1]}…"


def escape(label: str) -> str:
    """Escape dollar signs, which matplotlib would take for the start of a formula."""
    return label.replace("$", r"\$")


def make_axes(
    title: str, x_label: str, y_label: str, height: float = 3.8, width: float = 5.6
) -> tuple[Figure, Axes]:
    """Return an empty figure of this size in inches, and its axes."""
    figure = Figure(figsize=(width, height))
    # Fixed margins: measuring the labels would take as long as drawing the figure.
    axes = figure.add_axes((0.13, 0.55 / height, 0.84, 1 - 0.9 / height))
    axes.set(title=escape(title), xlabel=escape(x_label), ylabel=escape(y_label))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    return figure, axes


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without matplotlib's version."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100, metadata={"Software": None})


def draw_curves(
    curves: dict[str, tuple[np.ndarray, np.ndarray]], title: str, x_label: str, y_label: str
) -> tuple[Figure, Axes]:
    """Draw one line for each named pair of x and y."""
    figure, axes = make_axes(title, x_label, y_label)
    for colour, (name, (x, y)) in zip(LINES, curves.items(), strict=False):
        axes.plot(x, y, color=colour, label=escape(name), marker="." if len(x) < 20 else None)
    axes.legend()
    return figure, axes


def draw_confusion(counts: np.ndarray, labels: list[str]) -> Figure:
    """Draw a confusion matrix of shape (n_labels, n_labels), the truth in its rows."""
    n_labels = len(labels)
    size = max(3.8, 1.2 + 0.55 * n_labels)
    figure, axes = make_axes("Confusion matrix", "predicted", "actual", size, size + 1.8)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(visible=False)
    places = list(range(n_labels))
    shown = [cut(label) for label in labels]
    axes.set_xticks(places, shown, parse_math=False)
    axes.set_yticks(places, shown, parse_math=False)
    if n_labels > 2:
        # Long labels, and many of them, need the room that two of them do not.
        axes.set_position((0.27, 0.33, 0.7, 0.59))
        axes.set_xticklabels(shown, rotation=45, ha="right", rotation_mode="anchor")
    for (i, j), count in np.ndenumerate(counts):
        colour = "white" if shares[i, j] > 0.5 else "black"
        text = f"{count}\n{shares[i, j]:.2%}" if n_labels == 2 else f"{count}\n{shares[i, j]:.0%}"
        size = 10 if n_labels == 2 else 8
        axes.text(j, i, text, ha="center", va="center", color=colour, size=size)
    return figure


def draw_points(
    x: np.ndarray, y: np.ndarray, title: str, x_label: str, y_label: str, *, is_diagonal: bool
) -> Figure:
    """Draw points, and the line that they would be on without errors."""
    figure, axes = make_axes(title, x_label, y_label)
    # Fainter where many would cover each other.
    alpha = min(0.8, max(0.2, 300 / len(x)))
    axes.plot(x, y, ".", color=NEGATIVE, alpha=alpha, markersize=6, markeredgewidth=0)
    if is_diagonal:
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        axes.plot(ends, ends, color=NEUTRAL, linestyle="--")
    else:
        axes.axhline(0, color=NEUTRAL, linestyle="--")
    left, bottom, width, height = axes.get_position().bounds
    axes.set_position((left + 0.05, bottom, width - 0.05, height))
    return figure


def draw_importance(importance: dict[str, dict[str, float]], metric: str) -> Figure:
    """Draw a bar for each column, the most important one at the top, at most thirty.

    ``importance`` is what ``measure_importance`` returned, by the named metric.
    """
    shown = list(importance.items())[:30]
    figure, axes = make_axes("Importance of columns", "", "", height=0.24 * len(shown) + 1)
    left, bottom, _, height = axes.get_position().bounds
    axes.set_position((left + 0.17, bottom, 0.67, height))
    places = np.arange(len(shown))[::-1]
    mean, deviation = ([found[name] for _, found in shown] for name in ("mean", "std"))
    axes.barh(places, mean, xerr=deviation, color=NEGATIVE, ecolor=NEUTRAL)
    names = [name if len(name) <= 24 else f"{name[:23]}…" for name, _ in shown]
    axes.set_yticks(places, names, parse_math=False)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_xlabel(f"{metric}: worse by")
    return figure


def draw_scores(
    probability: np.ndarray, is_positive: np.ndarray, labels: list[str], threshold: float, rows: str
) -> Figure:
    """Draw a histogram of the probabilities of each class, with logarithmic counts."""
    figure, axes = make_axes("Score distribution", f"probability of {labels[1]}", rows)
    classes = [probability[~is_positive], probability[is_positive]]
    bins = np.linspace(0, 1, 41).tolist()
    colours = [NEGATIVE, POSITIVE]
    axes.hist(
        classes,
        bins,
        label=list(map(escape, labels)),
        color=colours,
        log=True,
        histtype="step",
        linewidth=1.5,
    )
    axes.axvline(threshold, color=NEUTRAL, linestyle="--", label="threshold")
    axes.legend()
    return figure


def draw_influential_features(names: np.ndarray, weights: np.ndarray, labels: list[str]) -> Figure:
    """Draw the weights of features as bars; negative weights belong to the negative label."""
    figure, axes = make_axes(
        "Most influential features", "weight", "", height=0.24 * len(names) + 1
    )
    left, bottom, _, height = axes.get_position().bounds
    axes.set_position((left + 0.17, bottom, 0.67, height))
    colours = np.where(weights > 0, POSITIVE, NEGATIVE)
    axes.barh(np.arange(len(names)), weights, color=colours)
    # Names come from messages: a dollar sign does not start a formula.
    axes.set_yticks(np.arange(len(names)), list(names), parse_math=False)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel(escape(f"speaks for {labels[0]}  ←  weight  →  speaks for {labels[1]}"))
    return figure


def draw_robustness(robustness: dict, labels: list[str]) -> Figure:
    """Draw the rates under each attack, the lowest at the bottom, with their intervals.

    ``robustness`` is what ``read_robustness`` returned.
    """
    attacks = sorted(robustness["attacks"].items(), key=lambda item: item[1]["caught"]["rate"])
    places = np.arange(len(attacks))
    title = "Rates of disguised messages (dashed line: without disguise)"
    figure, left = make_axes(title, f"{labels[1]} caught", "", 0.24 * len(attacks) + 1, 7)
    _, bottom, _, height = left.get_position().bounds
    left.set_position((0.24, bottom, 0.43, height))
    left.title.set(position=(0, 1), horizontalalignment="left", fontsize="medium")
    right = figure.add_axes((0.72, bottom, 0.24, height), sharey=left)
    right.set_xlabel(escape(f"{labels[0]} blocked"))
    right.spines[["top", "right", "left"]].set_visible(False)
    right.grid(alpha=0.25)
    right.tick_params(axis="y", left=False, labelleft=False)
    for axes, key, colour in ((left, "caught", POSITIVE), (right, "blocked", NEGATIVE)):
        rates = [values[key] for _, values in attacks]
        rate, low, high = (
            np.array([found[end] for found in rates]) for end in ("rate", "low", "high")
        )
        errors = np.maximum([rate - low, high - rate], 0)
        axes.errorbar(rate, places, xerr=errors, fmt="o", color=colour, markersize=4, linewidth=1)
        axes.axvline(robustness["clean"][key]["rate"], color=NEUTRAL, linestyle="--")
        axes.xaxis.set_major_formatter(PercentFormatter(1))
    left.set_yticks(places, [name.replace("_", " ") for name, _ in attacks])
    left.set_ylim(-0.6, len(attacks) - 0.4)
    return figure


def as_percent(axes: Axes) -> None:
    """Show both axes in per cent."""
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
