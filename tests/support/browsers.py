"""A real browser, and what no page of ours may do in it: fail, break its policy, ask another host for anything."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from support import leaks

try:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect
    from playwright.sync_api import sync_playwright as play
except ImportError:  # what needs a browser is skipped, the rest of the tests is not
    Browser = BrowserContext = ConsoleMessage = Locator = Page = Request = expect = play = None

# the first draws no window around a page, which makes one a quarter as dear
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
PATIENCE = 20_000  # ms; three times what a slow machine takes
WIDE, NARROW = 1280, 360  # CSS pixels
HEIGHT = 900
# no name of the outside is ever looked up, and a picture is the same on every machine
OPTIONS = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--hide-scrollbars",
    "--font-render-hinting=none",
)
LOCAL = ("data", "blob", "about")

# what a page was kept from is an error of the page
TELL = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


def program() -> str | None:
    """Where the browser is, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """The browser of this machine, without a window. folder: where it may write whatever it wants to.

    All that it starts is no leak of any test: one that runs serves many.
    """
    path = program()
    if play is None:
        pytest.skip("playwright is not installed")
    if path is None:
        pytest.skip("there is no Chromium (Debian's package chromium-headless-shell)")
    before = leaks.processes()
    home = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    with play() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=list(OPTIONS), env={**os.environ, **home}, timeout=3 * PATIENCE
        )
        started = leaks.processes() - before
        for pid, _ in started:
            leaks.share(pid, with_descendants=True)
        expect.set_options(timeout=PATIENCE)
        yield browser
        browser.close()
    leaks.unshare(started)
    assert not leaks.wait_for_none(before), "the browser did not leave"


@dataclass
class Watch:
    """What a page did that it may not. site: the address of the only server that it may talk to.

    expected: parts of complaints that a test brings about itself.
    """

    site: str
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    navigated: set[str] = field(default_factory=set)

    def attach(self, page: Page) -> None:
        """Listen to all that happens in a page from now on."""
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("dialog", self._asked)
        page.on("request", self._requested)
        page.on("crash", lambda _: self.complaints.append("the page crashed"))

    def check(self) -> None:
        """Fail if a page did what it may not, unless the test expected it."""
        left = [each for each in self.complaints if not any(part in each for part in self.expected)]
        self.complaints.clear()
        assert not left, "\n".join(left)

    def _said(self, message: ConsoleMessage) -> None:
        at = message.location["url"]
        of_document = message.text.startswith("Failed to load resource") and at in self.navigated
        if message.type in ("error", "warning") and not of_document:  # a test visits a page that is an error
            self.complaints.append(f"{message.type}: {message.text} ({at})")

    def _asked(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _requested(self, request: Request) -> None:
        self.requests.append(request)
        if request.is_navigation_request():
            self.navigated.add(request.url)
        here, there = urlsplit(self.site), urlsplit(request.url)
        if there.scheme not in LOCAL and (there.scheme, there.netloc) != (here.scheme, here.netloc):
            self.complaints.append(f"asked another host: {request.url}")


@contextmanager
def window(
    browser: Browser, site: str, *, dark: bool = False, width: int = WIDE, scripts: bool = True, **options: Any
) -> Iterator[Page]:
    """A page of a browser without any past, that fails the test in the end if it did what it may not.

    site: addresses are relative to it. `watch_of(page)` is what it did. options: of Playwright's contexts.
    """
    watch = Watch(site)
    context = browser.new_context(
        base_url=site,
        color_scheme="dark" if dark else "light",
        viewport={"width": width, "height": HEIGHT},
        java_script_enabled=scripts,
        reduced_motion="reduce",
        **options,
    )
    context.set_default_timeout(PATIENCE)
    context.add_init_script(TELL)
    _watches[context] = watch
    context.on("page", watch.attach)
    try:
        page = context.new_page()
        yield page
        for each in context.pages:
            each.evaluate("0")  # comes after all that the page has said so far
    finally:
        context.close()
        _watches.pop(context)
    watch.check()


_watches: dict[BrowserContext, Watch] = {}


def watch_of(page: Page) -> Watch:
    """What the pages of this window did."""
    return _watches[page.context]


def sign_in(page: Page, site: str, token: str) -> None:
    """Begin a session, as a person does."""
    page.goto(urljoin(f"{site}/", "login"))
    page.get_by_label("Your token").fill(token)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: not url.endswith("/login"))


def tabs(page: Page, most: int = 400) -> list[str]:
    """What the Tab key reaches, in order: a CSS-like name of each element, until it comes round."""
    page.evaluate("() => document.activeElement?.blur()")
    found: list[str] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        name = page.evaluate("() => document.activeElement === document.body ? null : " + NAME)
        if name is None or name in found:
            break
        found.append(name)
    return found


NAME = """((element) => {
  const same = [...document.querySelectorAll(element.localName)];
  const words = (element.textContent || element.name || "").trim().slice(0, 40);
  return `${element.localName}[${same.indexOf(element)}] ${words}`;
})(document.activeElement)"""
