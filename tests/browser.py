"""The machine's Chromium; `python -m tests.browser` installs it where a package manager may do that."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.async_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Nothing that a test does may leave the machine.
ARGUMENTS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
ADVICE = "the browser tests need Chromium: install the package chromium, or set CHROMIUM to its program"


def find_chromium() -> Path | None:
    named = os.environ.get("CHROMIUM")
    candidates = [named] if named else [shutil.which(name) for name in NAMES]
    return next((Path(path) for path in candidates if path and Path(path).exists()), None)


async def launch(playwright: Playwright) -> Browser:
    """A headless browser; RuntimeError says what to install."""
    chromium = find_chromium()
    if chromium is None:
        raise RuntimeError(ADVICE)
    # Chromium refuses to sandbox for root; the pages are our own.
    arguments = [*ARGUMENTS, "--no-sandbox"] if os.geteuid() == 0 else [*ARGUMENTS]
    return await playwright.chromium.launch(executable_path=chromium, args=arguments)


def install() -> None:
    if find_chromium():
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(ADVICE)
    print("installing Chromium (1 minute) ...", flush=True)
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    fonts = ["fonts-dejavu-core", "fonts-noto-color-emoji"]
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", *fonts]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    install()
