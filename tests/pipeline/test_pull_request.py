"""Tests of describing a change for a pull request."""

from commands import pull_request


def test_describes_metrics_and_plots_of_a_change(worsened, monkeypatch, capsys):
    monkeypatch.chdir(worsened.path)
    pull_request.main(["--base", "good"])
    text = capsys.readouterr().out
    assert "| test.f1 " in text
    assert text.count("cv.matthews_corrcoef ") == 2, "the change, and the value now"
    assert "cv.matthews_corrcoef_std " in text
    assert text.count("```mermaid\nxychart-beta\n") == 2
    assert 'title "caught by threshold: good, then HEAD"' in text
    charts = [line.split("[")[1] for line in text.splitlines() if line.startswith("    line [")]
    assert len(charts) == 4
    assert all(chart.startswith("1.0000") and chart.count(",") == 20 for chart in charts)
    assert charts[0] != charts[1]
    assert "http" not in text


def test_says_when_nothing_changed(worsened, monkeypatch, capsys):
    monkeypatch.chdir(worsened.path)
    pull_request.main(["--base", "HEAD"])
    assert "No metric changes." in capsys.readouterr().out
