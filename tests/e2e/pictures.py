"""The pictures of the documents: pages of a running system, in few bytes."""

import os
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.conftest import ROOT
from tests.e2e.site import FINISH_ANIMATIONS

DOCS = ROOT / "docs"
MOST_BYTES = 250_000

only_on_request = pytest.mark.skipif(not os.environ.get("SCREENSHOT"), reason="make screenshot draws the pictures")


async def draw(page: Page, name: str) -> Path:
    """`docs/<name>.png` of what is in sight. AssertionError if it is empty, or too large for the repository."""
    path = DOCS / f"{name}.png"
    # Nobody points at anything, and nothing is half faded in.
    await page.mouse.move(0, 0)
    await page.evaluate("document.fonts.ready")
    await page.evaluate(FINISH_ANIMATIONS)
    await page.screenshot(path=path, animations="disabled")
    assert 10_000 < path.stat().st_size < MOST_BYTES
    return path
