"""Take the picture of the web page that README shows.

By hand: python docs/screenshot.py [--url http://127.0.0.1:8000]

Without a URL it starts the service with the trained model, and stops it at the end.
"""

import argparse
import io
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from PIL import Image
from playwright.sync_api import ViewportSize, expect, sync_playwright

ROOT = Path(__file__).parents[1]
EXAMPLE = "A prize"
SIZE: ViewportSize = {"width": 1200, "height": 800}
SCALE = 1.5
PATIENCE_SECONDS = 60


@contextmanager
def run_service() -> Iterator[str]:
    """Run the service on a free port, without token and feedback; give its URL.

    Raises
    ------
    OSError
        If it does not start.
    """
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("FEEDBACK_URL", "SERVICE_TOKEN")
    }
    command = [sys.executable, "src", "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        wait_until_ready(url, process)
        yield url
    finally:
        process.terminate()
        process.wait()


def wait_until_ready(url: str, process: subprocess.Popen) -> None:
    """Wait until a service answers, or raise ``OSError``."""
    for _ in range(10 * PATIENCE_SECONDS):
        if process.poll() is not None:
            raise OSError("the service has ended: see its log above")
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=PATIENCE_SECONDS):
                return
        except OSError:
            time.sleep(0.1)
    raise OSError(f"the service did not answer within {PATIENCE_SECONDS} seconds")


def take_picture(url: str, path: Path) -> None:
    """Write a PNG of the page with the verdict on its first example.

    Raises
    ------
    FileNotFoundError
        If there is no Chromium.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        raise FileNotFoundError("chromium is not installed (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(
            viewport=SIZE,
            device_scale_factor=SCALE,
            color_scheme="light",
            reduced_motion="reduce",
        )
        page.goto(url)
        page.get_by_role("button", name=EXAMPLE).click()
        expect(page.get_by_role("meter")).to_be_visible()
        # The picture must not show the pointer, the focus or a scroll position.
        page.mouse.move(0, 0)
        page.evaluate("document.activeElement.blur()")
        page.evaluate("scrollTo(0, 0)")
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        browser.close()
    # 256 colours are enough for the page, and a third of the bytes.
    picture.quantize(dither=Image.Dither.NONE).save(path, optimize=True)


def main(argv: list[str] | None = None) -> None:
    """Take the picture as ``argv`` says."""
    parser = argparse.ArgumentParser(description="Take the picture of the web page.")
    parser.add_argument("--url", help="URL of a running service (default: start one)")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "web-page.png")
    args = parser.parse_args(argv)
    with nullcontext(args.url) if args.url else run_service() as url:
        take_picture(url, args.output)


if __name__ == "__main__":
    main()
