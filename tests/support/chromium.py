"""One headless Chromium a worker, each test with a context of its own; and what every page is looked at for.

A folder whose tests ask for `browser` puts them and their asynchronous fixtures on the session's loop, where Chromium is spoken to.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

FLAGS = "--no-sandbox --disable-background-networking --disable-component-update --disable-sync --disable-gpu".split()
AXE = (Path(__file__).parents[1] / "vendor" / "axe" / "axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Only what is wrong leaves the page: the rest is many times larger, and nobody reads it.
RUN_AXE = """async tags => {
  const found = await axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']});
  return found.violations.map(v => `${v.id}: ${v.help} ${v.nodes.map(n => n.html.slice(0, 160)).join(' ')}`); }"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
WIDTHS, SCHEMES = (360, 1280), ("light", "dark")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    program = shutil.which("chromium")
    assert program, "these tests need Debian's chromium"
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield found
        await found.close()


@pytest_asyncio.fixture(loop_scope="session")
async def browser(chromium: Browser) -> AsyncIterator[Browser]:
    """Without any window left over by another test."""
    yield chromium
    for context in chromium.contexts:
        await context.close()


async def tab_with(browser: Browser, origin: str, cookies: dict[str, str], **options: Any) -> Page:
    """A tab of a new context (`options`: as of `new_context`) that has these cookies of the site."""
    context = await browser.new_context(**options)
    await context.add_cookies([{"name": name, "value": value, "url": origin} for name, value in cookies.items()])
    return await context.new_page()


def watch(page: Page, origin: str) -> list[str]:
    """Console errors and requests elsewhere, as they come; not what the browser itself notes: a 404, a form with faults (422), an
    image that the CSP stops.
    """
    seen: list[str] = []
    noted = re.compile(" 404 | 422 |img-src")
    page.on("console", lambda m: seen.append(m.text) if m.type == "error" and not noted.search(m.text) else None)
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith((origin, "data:")) else seen.append(f"asks {r.url}"))
    return seen


async def axe(page: Page) -> list[str]:
    """Violations of axe-core 4.14.1, as readable lines; injected under the page's own CSP."""
    if await page.evaluate("typeof axe") == "undefined":
        await page.evaluate(AXE)
    return list(await page.evaluate(RUN_AXE, TAGS))


async def looks(
    page: Page,
    name: str,
    widths: Iterable[int] = WIDTHS,
    schemes: Iterable[str] = SCHEMES,
    also: dict[str, str] | None = None,
) -> list[str]:
    """What is wrong with the page as it is now, at each width and in each scheme: axe-core, scrolling sideways.

    `also`: what → a script that tells more. A picture of each look goes to the folder named by SCREENSHOTS, where it is set.
    """
    faults: list[str] = []
    for scheme in schemes:
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for width in widths:
            await page.set_viewport_size({"width": width, "height": 800})
            look = f"{name}-{width}-{scheme}"
            if folder := os.environ.get("SCREENSHOTS"):
                await page.screenshot(path=Path(folder) / f"{look}.png", full_page=True)
            wide = await page.evaluate(SIDEWAYS)
            faults += [f"{look}: {wide} px too wide"] if wide > 0 else []
            faults += [f"{look}: {fault}" for fault in await axe(page)]
            for what, script in (also or {}).items():
                faults += [f"{look}: {what} {found}" for found in await page.evaluate(script)]
    return faults


def on_the_loop_of_chromium(items: Iterable[pytest.Item], folder: str) -> None:
    """For a conftest's `pytest_collection_modifyitems`: asynchronous tests of this folder run on the session's loop."""
    for item in items:
        if f"/tests/{folder}/" in str(item.path) and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
