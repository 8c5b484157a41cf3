"""Draw the plots of two revisions on one page that works offline: ``dvc plots diff`` needs a CDN.

By hand: python src plots main HEAD --out plots

The arguments are those of ``dvc plots diff``. The JavaScript libraries that draw come from
vl-convert-python, one of the packages for development.
"""

import argparse
import importlib
import logging
from pathlib import Path

from core.errors import UserError
from core.files import write_text
from core.log import run_stage
from core.processes import run_dvc

# The last release of version 5, for which DVC writes its specifications.
VEGA_LITE = "5.21"
TEMPLATE = Path(".cache/plots.html")
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{refresh_tag}
<title>DVC Plot</title>
<script>%s</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""

logger = logging.getLogger(__name__)


def write_template(path: Path) -> None:
    """Write a template for DVC's page of plots, with the JavaScript libraries in it.

    Raises
    ------
    UserError
        If vl-convert-python is not installed.
    """
    try:
        converter = importlib.import_module("vl_convert")
    except ImportError as error:
        raise UserError(
            "vl-convert-python is not installed", "use 'make plots', which installs it"
        ) from error
    bundle = converter.javascript_bundle(vl_version=VEGA_LITE)
    write_text(PAGE % bundle.replace("</script", r"<\/script"), path)


def main(argv: list[str] | None = None) -> None:
    """Draw the plots of the revisions that ``argv`` names."""
    parser = argparse.ArgumentParser(
        usage="python src plots [REVISION ...] [--out FOLDER] ...",
        description="Draw plots of revisions on a page that works offline.",
        epilog="The arguments are those of 'dvc plots diff'.",
    )
    _, arguments = parser.parse_known_args(argv)
    if not TEMPLATE.is_file():
        logger.info("writing %s", TEMPLATE)
        write_template(TEMPLATE)
    print(run_dvc("plots", "diff", "--html-template", str(TEMPLATE), *arguments).strip())


def run_program() -> None:
    run_stage(main)
