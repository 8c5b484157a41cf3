"""Package the model for use elsewhere: a wheel with the model and the code that it needs.

By hand: python src package [--output dist]
"""

import argparse
import hashlib
import keyword
import logging
import re
import sys
import zipfile
from importlib.metadata import packages_distributions
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml

from core.errors import UserError
from core.files import write_text
from core.local_imports import SOURCE, find_imports, move_imports
from core.log import run_stage
from core.params import read_sections
from core.paths import MODEL
from core.processes import run
from core.wheels import write_wheel
from models.answers import answer_rows
from models.loaded import DecisionOptions, LoadedModel, load_model_for_use
from models.scoring import DIGEST_LENGTH
from models.store import read_model_file
from models.threshold import name_points, read_model_points
from service.lineage import STAGES, Lineage, read_lineage

ROOT = SOURCE.parent
COMMANDS = SOURCE / "commands"
# What a program that imports the package, or runs it, uses; the rest is what these import.
ENTRY_POINTS = [
    COMMANDS / "packaged" / "library.py",
    COMMANDS / "packaged" / "program.py",
    COMMANDS / "predict.py",
    COMMANDS / "serve.py",
]
# Where a module is in the package, if it is not where it is in src/.
PLACES = {ENTRY_POINTS[0]: "__init__.py", ENTRY_POINTS[1]: "__main__.py"}
# The pages of the service.
ASSETS = SOURCE / "service" / "static"
REQUIREMENTS = ROOT / "requirements-serve.txt"
# The packages that a model may need besides, by the start of the names of its types.
BOOSTING = ROOT / "requirements-boosting.txt"
BOOSTING_PINS = {"lightgbm": {"lightgbm"}, "xgboost": {"xgboost", "xgboost-cpu"}}
# What the commands in the package read of params.yaml; the rest is in the model's file.
KEPT_PARAMS = {"model_evaluation": ["threshold", "interval_coverage"]}
EXAMPLE_TEXT = "See you at home"
METADATA = """Metadata-Version: 2.4
Name: {name}
Version: {version}
Summary: {summary}
License-File: LICENSE
Requires-Python: >=3.11
{requirements}
Description-Content-Type: text/markdown

{readme}"""
README = """# {name} {version}

{summary}

```console
$ pip install --require-hashes --requirement requirements.txt
$ pip install --no-deps {wheel}
$ python -m {module} serve --port 8000      # or: predict --input FILE --output FILE
```

```python
from {module} import predict

predict([{example!r}])
# {answer}
```
"""

logger = logging.getLogger(__name__)


def name_module(name: str) -> str:
    """Return the name under which Python imports the package of a model.

    Raises
    ------
    UserError
        If Python or a package that is installed here has that name.
    """
    module = re.sub("-+", "_", name)
    # Unless that is a package of this model.
    owners = [each for each in packages_distributions().get(module, []) if each != name]
    if name in read_pins(REQUIREMENTS):
        owners = [name]
    if module in sys.stdlib_module_names or keyword.iskeyword(module):
        owners = ["Python"]
    if owners:
        raise UserError(
            f"model.name is {name}, a name that {owners[0]} uses",
            "choose another, then run 'make repro'",
        )
    return module


def find_version(name: str, sha256: str) -> str:
    """Return the version that HEAD is released as, or one that names the model's file.

    A release counts only if no file that Git tracks has changed since.
    """
    try:
        tags = run("git", "tag", "--points-at", "HEAD", "--sort=-version:refname").split()
        changed = run("git", "status", "--porcelain", "--untracked-files=no")
    except UserError:
        tags, changed = [], ""
    released = [tag for tag in tags if re.fullmatch(rf"{re.escape(name)}@v\d+(\.\d+)*", tag)]
    if released and changed:
        logger.warning("not %s: files have changed since that release", released[0])
    if released and not changed:
        return released[0].partition("@v")[2]
    return f"0+{sha256[:DIGEST_LENGTH]}"


def read_pins(path: Path) -> dict[str, tuple[str, str]]:
    """Return the pin of each package in a file of requirements, and the lines with its hashes."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"^(([a-z0-9-]+)==.*) \\\n((?:    --hash=.*\n)+)", text, re.MULTILINE)
    return {name: (pin, hashes) for pin, name, hashes in blocks}


def list_pins(content: bytes) -> dict[str, tuple[str, str]]:
    """Return the pins of what a model in the content of a file needs, as ``read_pins`` does."""
    pins = read_pins(REQUIREMENTS)
    schema = zipfile.ZipFile(BytesIO(content)).read("schema.json").decode()
    for start, names in BOOSTING_PINS.items():
        if f'"__module__": "{start}.' in schema:
            pins |= {name: pin for name, pin in read_pins(BOOSTING).items() if name in names}
    return pins


def collect_code(module: str) -> dict[str, bytes]:
    """Return the modules that the package needs, by their path in it."""
    files = {}
    for path in find_imports(*ENTRY_POINTS):
        place = PLACES.get(path, path.relative_to(SOURCE).as_posix())
        files[place] = move_imports(path.read_text(encoding="utf-8"), module).encode()
    for folder in {parent for name in files for parent in Path(name).parents[:-1]}:
        start = folder / "__init__.py"
        files[start.as_posix()] = (SOURCE / start).read_bytes()
    for path in ASSETS.rglob("*"):
        if path.is_file():
            files[path.relative_to(SOURCE).as_posix()] = path.read_bytes()
    return files


def reduce_lock(lock: Path) -> str:
    """Return what the service reads of dvc.lock: the digests of data, model and results."""
    stages = read_sections(lock)["stages"]
    kept = {
        name: {
            key: [
                {"path": entry["path"], "md5": entry["md5"]}
                for entry in stages[name].get(key, [])
                if not entry["path"].startswith("src/")
            ]
            for key in ("deps", "outs")
        }
        for name in STAGES
        if name in stages
    }
    return yaml.safe_dump({"stages": kept})


def collect_results(found: Lineage, reports: Path) -> dict[str, bytes]:
    """Return the files of results that dvc.lock ties to the model, by their path in reports/."""
    known = {
        "metrics.json": found.metrics,
        "intervals.json": found.intervals,
        "robustness.json": found.robustness,
    }
    files = {name: (reports / name).read_bytes() for name, results in known.items() if results}
    if found.plots:
        plots = [path for path in (reports / "plots").rglob("*") if path.is_file()]
        files |= {path.relative_to(reports).as_posix(): path.read_bytes() for path in plots}
    return files


def pick_params(path: Path) -> str:
    """Return the parameters that the commands in the package read, as YAML."""
    sections = read_sections(path)
    kept = {
        section: {key: sections[section][key] for key in keys if key in sections[section]}
        for section, keys in KEPT_PARAMS.items()
    }
    return yaml.safe_dump(kept)


def make_example(loaded: LoadedModel) -> str | dict[str, Any]:
    """Return a message, or a row with the usual value of each column."""
    description = loaded.description
    if description.is_messages:
        return EXAMPLE_TEXT
    names = description.source_names
    return {
        names[column.name]: EXAMPLE_TEXT if column.kind == "text" else column.usual
        for column in description.columns
    }


def load(model: Path, params: Path) -> LoadedModel:
    """Return the model, after checks that it can be used as it is.

    Raises
    ------
    UserError
        If it was built with other code, or its operating points are those of another model.
    """
    loaded = load_model_for_use(read_model_file(model), model, DecisionOptions(params=params))
    read_model_points(name_points(model), model, loaded.sha256, "a package")
    return loaded


def package(args: argparse.Namespace) -> Path:
    """Write the wheel and the requirements, and return the path of the wheel.

    Raises
    ------
    UserError
        If the model cannot be used as it is, or dvc.lock does not know it.
    """
    loaded = load(args.model, args.params)
    name, summary = loaded.description.name, " ".join(loaded.description.summary.split())
    module = name_module(name)
    version = find_version(name, loaded.sha256)
    md5 = hashlib.md5(loaded.content, usedforsecurity=False).hexdigest()
    lineage = read_lineage(md5, args.lock, args.reports)
    if lineage.training is None:
        raise UserError(
            f"{args.model} is not the model of {args.lock}", "run 'dvc repro' or 'dvc checkout'"
        )
    if lineage.metrics is None:
        logger.warning("the metrics in %s are those of another model and left out", args.reports)
    data: dict[str, bytes] = {
        "models/model.skops": loaded.content,
        "models/model.points.json": name_points(args.model).read_bytes(),
        "params.yaml": pick_params(args.params).encode(),
        "dvc.lock": reduce_lock(args.lock).encode(),
    }
    data |= {
        f"reports/{path}": each for path, each in collect_results(lineage, args.reports).items()
    }
    files = collect_code(module) | {f"files/{path}": each for path, each in data.items()}
    pins = list_pins(loaded.content)
    example = make_example(loaded)
    answer = answer_rows(loaded, [example])
    args.output.mkdir(parents=True, exist_ok=True)
    for old in args.output.glob("*.whl"):
        old.unlink()
    readme = README.format(
        name=name,
        version=version,
        summary=summary,
        wheel=f"{module}-{version}-py3-none-any.whl",
        module=module,
        example=example,
        answer=answer,
    )
    metadata = METADATA.format(
        name=name,
        version=version,
        summary=summary,
        requirements="\n".join(f"Requires-Dist: {pin}" for pin, _ in pins.values()),
        readme=readme,
    )
    write_text(
        "".join(f"{pin} \\\n{hashes}" for pin, hashes in pins.values()),
        args.output / "requirements.txt",
    )
    return write_wheel(
        args.output,
        name,
        version,
        metadata,
        {f"{module}/{path}": content for path, content in files.items()},
        (ROOT / "LICENSE").read_bytes(),
    )


def main(argv: list[str] | None = None) -> None:
    """Package the model that ``argv`` names."""
    parser = argparse.ArgumentParser(description="Package the model for use elsewhere.")
    parser.add_argument("--model", type=Path, default=Path(MODEL))
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--lock", type=Path, default=Path("dvc.lock"))
    parser.add_argument("--reports", type=Path, default=Path("reports"))
    parser.add_argument(
        "--output", type=Path, default=Path("dist"), help="folder, whose wheels are replaced"
    )
    wheel = package(parser.parse_args(argv))
    logger.info("%s, %.1f MB", wheel, wheel.stat().st_size / 1e6)


def run_program() -> None:
    run_stage(main)
