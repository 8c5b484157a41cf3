"""Tests of the cards of models of every task."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from commands import summary
from commands.summary import BLOCK
from core.errors import UserError
from evaluation import card_facts, cards
from models.description import Column
from tests.support.built_table import TASKS

ROOT = Path(__file__).parents[2]
CARDS = ["data/README.md", "models/README.md"]


@pytest.fixture
def work(built, tmp_path, monkeypatch):
    """Return a function that copies such a folder, adds the cards of messages, and works there."""

    def make(task):
        shutil.copytree(built(task), tmp_path, dirs_exist_ok=True)
        for name in CARDS:
            shutil.copyfile(ROOT / name, tmp_path / name)
        (tmp_path / "src").symlink_to(ROOT / "src")
        monkeypatch.chdir(tmp_path)
        return {name: tmp_path / name for name in CARDS}

    return make


def read_front_matter(path):
    return yaml.safe_load(path.read_text().split("---\n", 2)[1])


@pytest.mark.parametrize("task", TASKS)
def test_a_model_of_another_name_gets_new_cards(task, work, capsys):
    paths = work(task)
    summary.main(["--update", *CARDS])
    assert (
        "models/README.md is a new card for goods; the previous one is" in capsys.readouterr().out
    )
    for path in paths.values():
        text = path.read_text()
        assert read_front_matter(path)["model_name"] == "goods"
        own_words = BLOCK.sub("", text)
        assert not re.search(r"sms|spam|\bham\b|message", own_words, re.IGNORECASE)
        assert all(match[3].strip() for match in BLOCK.finditer(text))
    measured = json.loads(Path("reports/metrics.json").read_text())["test"]
    card = paths["models/README.md"].read_text()
    assert "Predicts the value of goods" in card
    assert all(f"| {name.replace('_', ' ')} " in card for name in measured)
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in card.splitlines()]
    inputs = {cells[0]: cells[1:] for cells in lines if len(cells) == 5}
    # As the source names it, not the pipeline.
    assert inputs["group"] == ["category", "", inputs["group"][2], "yes"]
    assert "red" in inputs["group"][2]
    assert inputs["price"][:2] == ["number", "EUR"]
    assert inputs["size"][2] == "small < medium < large"
    assert inputs["sold"][2].startswith("2020-01-0")
    assert inputs["note"][2] == "any text"
    (command,) = re.findall(r"^\$ (python src predict .*)$", card, re.MULTILINE)
    assert '"group": ' in command
    shown = "prediction " if task == "regression" else "label "
    assert f"\n{shown}" in card


def test_what_people_write_in_a_new_card_stays(work):
    paths = work("regression")
    summary.main(["--update", *CARDS])
    before = {name: path.read_text() for name, path in paths.items()}
    written = {name: text.replace("*Not written yet", "Mine") for name, text in before.items()}
    for name, path in paths.items():
        path.write_text(written[name])
    summary.main(["--update", *CARDS])
    assert {name: path.read_text() for name, path in paths.items()} == written


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("binary", ("tabular-classification", "matthews_correlation", "mcc")),
        ("multiclass", ("tabular-classification", "f1_macro", "macro_f1")),
        ("regression", ("tabular-regression", "r_squared", "r2")),
    ],
)
def test_the_front_matter_has_the_results_as_the_hub_reads_them(task, expected, work):
    work(task)
    metadata = yaml.safe_load(cards.describe_metadata())
    kind, hub, ours = expected
    assert metadata["pipeline_tag"] == kind
    (index,) = metadata["model-index"]
    (result,) = index["results"]
    assert (index["name"], result["dataset"]["name"]) == ("goods", "goods-data")
    values = {each["type"]: each["value"] for each in result["metrics"]}
    assert list(values) == metadata["metrics"]
    assert values[hub] == json.loads(Path("reports/metrics.json").read_text())["test"][ours]


def test_cards_of_the_same_model_and_of_nobody_are_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("data", "models"):
        Path(folder).mkdir()
    Path("params.yaml").write_text("model:\n  name: goods\n")
    Path("data/README.md").write_text("---\nmodel_name: goods\n---\n")
    card = Path("models/README.md")
    for text in ("# My card\n", "---\nlicense: mit\n---\n", "---\n- a\n---\n", "---\n"):
        card.write_text(text)
        assert cards.list_others() == []
    card.write_text("---\nmodel_name: others\n---\n")
    assert cards.list_others() == [card]
    card.write_text("---\na: [\n---\n")
    with pytest.raises(UserError, match=r"^models/README\.md: the front matter is not valid YAML"):
        cards.list_others()


def test_a_card_that_git_does_not_have_is_kept(work):
    paths = work("binary")
    subprocess.run(["git", "init", "--quiet"], check=True)
    mine = "---\nmodel_name: mine\n---\nMine\n"
    paths["data/README.md"].write_text(mine)
    said = cards.replace_card(Path("data/README.md"), "new")
    assert said.endswith("the previous one is now data/README.md.bak")
    assert Path("data/README.md.bak").read_text() == mine


def test_a_card_stays_until_a_new_one_is_complete(work):
    paths = work("binary")
    Path("models/model.skops").unlink()
    with pytest.raises(UserError, match=r"models/README\.md: models/model\.skops does not exist"):
        summary.main(["--update", "models/README.md"])
    assert read_front_matter(paths["models/README.md"])["model_name"] == "sms-spam"


def test_values_of_the_data_cannot_break_a_table():
    assert card_facts.escape("a|b <!-- c -->\n*d*") == r"a\|b &lt;!-- c --> \*d\*"
    assert len(card_facts.escape("x" * 1000)) == card_facts.WIDTH


def test_shows_some_values_of_a_category_and_counts_the_others():
    values = [f"v{number}" for number in range(30)]
    column = Column(name="a", kind="category", values=values, n_values=2000)
    assert card_facts.describe_range(column).endswith("v9 and 1,990 others")
    few = Column(name="a", kind="category", values=values[:2], n_values=2)
    assert card_facts.describe_range(few) == "v0, v1"
