"""Tests that what README and the other documents say is there."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml

from commands.summary import BLOCK, make_block
from tests.support.documents import (
    DOCUMENTS,
    FENCE,
    ROOT,
    read_consoles,
    read_document,
    split_sections,
)

README = (ROOT / "README.md").read_text()
BLOCKS = [
    pytest.param(match[2], match[3], id=f"{name}: {match[2]}")
    for name in DOCUMENTS
    for match in BLOCK.finditer((ROOT / name).read_text())
]
MEASURES = re.compile(r"benchmarks/\w+\.py|make bench")
# Versions, standards, years of papers, and the intervals' level.
NAMES = re.compile(r"95%|(CC BY|DocEng|NLTK|Python|RFC|from before|\bin) \d[\d.]*")
NUMBER = re.compile(r"(?<![\w.-])\d[\d.,]*(?![\w-])")


@pytest.mark.parametrize(("name", "content"), BLOCKS)
def test_a_generated_block_is_up_to_date(name, content, monkeypatch):
    monkeypatch.chdir(ROOT)
    if "$ curl" in content and not shutil.which("curl"):
        pytest.skip("curl is not installed")
    try:
        made = make_block(name, content)
    except (OSError, ValueError) as error:
        if Path("models/model.skops").exists():
            raise
        pytest.skip(f"needs what make repro makes: {error}")
    assert made == content.rstrip("\n"), "run make readme"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_comment_encloses_a_block(name):
    assert "<!--" not in BLOCK.sub("", (ROOT / name).read_text())


def test_every_document_with_generated_blocks_is_brought_up_to_date():
    listed = subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        text=True,
    )
    found = [name for name in listed.split() if BLOCK.search((ROOT / name).read_text())]
    assert set(found) <= set(DOCUMENTS)


def test_readme_is_short():
    assert len(README.splitlines()) <= 200


def test_the_first_commands_are_those_of_continuous_integration():
    (script,) = read_consoles(split_sections("README.md")[""])
    targets = re.findall(r"^make (\w+)", script, re.MULTILINE)
    assert script.startswith("git clone ")
    assert targets == ["repro", "test"]
    assert set(targets) <= set(re.findall(r"^make (\w+)", (ROOT / ".ci/run").read_text(), re.M))


def list_code(name: str) -> list[str]:
    """Return the code in a document: spans in a text, and blocks."""
    text = read_document(name)
    spans = re.findall(r"`([^`]+)`", FENCE.sub("", text))
    return [" ".join(span.split()) for span in spans] + [code for _, code in FENCE.findall(text)]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_that_it_names_exists(name):
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = "\n".join(list_code(name))
    assert set(re.findall(r"^(?:\$ )?make ([a-z0-9-]+)", code, re.MULTILINE)) <= targets
    for command in re.findall(r"python src ([a-z_]+)", code):
        assert (ROOT / "src" / "commands" / f"{command}.py").is_file(), command


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_that_it_names_exists(name):
    folders = r"\.ci|\.github|benchmarks|data|docs|models|reports|src|tests"
    named = {
        path
        for code in list_code(name)
        for path in re.findall(rf"(?<![\w./-])((?:{folders})/[\w./]*\w)", code)
    }
    pipeline = (ROOT / "dvc.yaml").read_text()
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    # What the pipeline, a command or a user makes is in no new clone.
    made = {path for path in named if path in pipeline or f"/{path}" in ignored}
    made |= {path for path in named if path.startswith("data/feedback/")}
    assert [path for path in named - made if not (ROOT / path).exists()] == []


def make_anchor(heading: str) -> str:
    """Return what GitHub calls a heading in an address."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name):
    links = re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", read_document(name)))
    for link in links:
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert target.exists(), link
        if anchor:
            headings = split_sections(target.relative_to(ROOT).as_posix())
            assert anchor in map(make_anchor, headings), link


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_figure_is_generated_or_names_the_benchmark_that_prints_it(name):
    sections = split_sections(name)
    for heading, text in sections.items():
        if MEASURES.search(text):
            continue
        prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", FENCE.sub("", BLOCK.sub("", text)))
        prose = re.sub(r"^\d\. ", "", prose, flags=re.MULTILINE)
        assert NUMBER.findall(NAMES.sub("", prose)) == [], heading


def test_the_layout_is_that_of_the_repository():
    (tree,) = (code for kind, code in FENCE.findall(README) if not kind)
    parents: list[str] = []
    named = set()
    for line in tree.splitlines():
        indent, path = re.match(r"( *)(\S+)", line).groups()
        parents[len(indent) // 2 :] = [path]
        named.add("".join(parents))
    packages = {f"src/{path.parent.name}/" for path in ROOT.glob("src/*/__init__.py")}
    assert packages <= named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_default_is_what_the_study_justifies():
    summary = pd.read_csv(ROOT / "reports" / "study.csv").set_index("configuration")
    default = summary.loc["params.yaml"]
    assert default["behind"] <= max(0.002, 2 * default["error"])


def read_front_matter(name: str) -> dict:
    """Return what the front matter of a card says."""
    _, front_matter, _ = (ROOT / name).read_text().split("---\n", 2)
    return yaml.safe_load(front_matter)


def test_the_data_card_has_metadata():
    metadata = read_front_matter("data/README.md")
    assert metadata["license"] == "cc-by-4.0"
    assert metadata["language"] == "en"


def test_the_model_card_has_metadata_with_the_committed_results():
    metadata = read_front_matter("models/README.md")
    assert {"license", "language", "tags", "datasets"} <= set(metadata)
    assert metadata["library_name"] == "sklearn"
    (model,) = metadata["model-index"]
    (result,) = model["results"]
    assert result["dataset"]["type"] in metadata["datasets"]
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert set(values) == set(metadata["metrics"])
    measured = json.loads((ROOT / "reports" / "metrics.json").read_text())["test"]
    assert values["matthews_correlation"] == measured["mcc"]


@pytest.mark.parametrize("name", ["data/README.md", "models/README.md"])
def test_git_does_not_ignore_the_cards(name):
    run = subprocess.run(["git", "check-ignore", "--quiet", name], cwd=ROOT, check=False)
    assert run.returncode == 1
