"""Tests of drawing plots."""

import numpy as np
import pytest

from evaluation import figures
from evaluation.figures import (
    as_percent,
    draw_confusion,
    draw_curves,
    draw_influential_features,
    draw_scores,
    make_axes,
    save_figure,
)

COUNTS = np.array([[3, 1], [0, 2]])
PROBABILITY = np.array([0.1, 0.2, 0.2, 0.7, 0.9])
IS_POSITIVE = np.array([False, False, False, True, True])
NAMES = np.array(["words: ok", "words: win"], object)
WEIGHTS = np.array([-1.0, 2.0])

DRAW = {
    "confusion": lambda labels: draw_confusion(COUNTS, labels),
    "scores": lambda labels: draw_scores(PROBABILITY, IS_POSITIVE, labels, 0.5, "rows"),
    "influential_features": lambda labels: draw_influential_features(NAMES, WEIGHTS, labels),
    "curves": lambda labels: draw_curves({labels[1]: ([0, 1], [0, 1])}, *labels, "y")[0],
}


@pytest.mark.parametrize("kind", DRAW)
def test_same_numbers_give_the_same_bytes(tmp_path, kind):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        save_figure(DRAW[kind](["ham", "spam"]), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["$", "$$$", "win $5_$x", "$\\frac$", "$a_$", "^_{"])
def test_draws_a_feature_with_dollar_signs(tmp_path, name):
    figure = draw_influential_features(np.array([name, "b"], object), WEIGHTS, ["ham", "spam"])
    save_figure(figure, tmp_path / "a.png")
    assert figure.axes[0].get_yticklabels()[0].get_text() == name
    assert (tmp_path / "a.png").stat().st_size > 0


@pytest.mark.parametrize("kind", DRAW)
def test_draws_a_label_with_dollar_signs(tmp_path, kind):
    save_figure(DRAW[kind](["ham", "$\\pam$"]), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 0


def test_writes_each_count_and_its_share_of_the_actual_label():
    figure = draw_confusion(COUNTS, ["ham", "spam"])
    cells = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert cells == {
        (0, 0): "3\n75.00%",
        (1, 0): "1\n25.00%",
        (0, 1): "0\n0.00%",
        (1, 1): "2\n100.00%",
    }


def test_rows_of_a_confusion_matrix_are_the_actual_labels():
    axes = draw_confusion(COUNTS, ["ham", "spam"]).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "actual")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ham", "spam"]


def test_draws_how_many_rows_of_each_label_have_a_probability():
    axes = draw_scores(PROBABILITY, IS_POSITIVE, ["ham", "spam"], 0.5, "rows").axes[0]
    highest = {patch.get_label(): patch.get_xy()[:, 1].max() for patch in axes.patches}
    assert highest == {"ham": 2, "spam": 1}
    assert axes.get_xlabel() == "probability of spam"


def test_colours_features_by_their_label():
    axes = draw_influential_features(NAMES, WEIGHTS, ["ham", "spam"]).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [-1, 2]
    assert axes.patches[0].get_facecolor() != axes.patches[1].get_facecolor()
    assert [label.get_text() for label in axes.get_yticklabels()] == list(NAMES)


def test_draws_no_features(tmp_path):
    figure = draw_influential_features(np.array([], object), np.array([]), ["ham", "spam"])
    save_figure(figure, tmp_path / "a.png")
    assert figure.axes[0].patches[:] == []


def test_draws_a_line_for_each_curve():
    curves = {"caught": ([0, 1], [1, 0]), "blocked": (np.arange(30), np.arange(30))}
    _, axes = draw_curves(curves, "title", "x", "y")
    assert [line.get_label() for line in axes.lines] == ["caught", "blocked"]
    assert [line.get_marker() for line in axes.lines] == [".", "None"]
    assert axes.lines[0].get_ydata().tolist() == [1, 0]


def test_draws_as_many_curves_as_it_has_colours():
    curves = {str(n): ([0, 1], [0, n]) for n in range(len(figures.LINES))}
    _, axes = draw_curves(curves, "title", "x", "y")
    assert len({line.get_color() for line in axes.lines}) == len(curves)


def test_shows_axes_as_per_cent():
    _, axes = make_axes("title", "x", "y")
    as_percent(axes)
    assert axes.xaxis.get_major_formatter()(0.25) == "25%"
    assert axes.yaxis.get_major_formatter()(1) == "100%"


def test_robustness_is_drawn_worst_attack_at_the_bottom():
    rates = {
        name: {
            "caught": {"rate": rate, "low": rate - 0.1, "high": rate},
            "blocked": {"rate": 0, "low": 0, "high": 0.01},
        }
        for name, rate in (("spaced_text", 0.5), ("typos", 0.75), ("clean", 0.9))
    }
    clean = rates.pop("clean")
    figure = figures.draw_robustness({"clean": clean, "attacks": rates}, ["ham", "$pam"])
    left, _ = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["spaced text", "typos"]
    assert left.lines[0].get_xdata().tolist() == [0.5, 0.75]
