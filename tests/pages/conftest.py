"""A served Geomill with cheap processes, and a browser to look at it with.

`page` and `open_page` fail a test whose page logs an error, breaks its policy or asks another host for anything.
Playwright keeps a loop for as long as it runs, so the browser is of these tests alone: its scope is their package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pages.shown import NOBODY
from support import browsers
from support.browsers import Browser, Page
from support.mills import Mill, serving

from geomill.app.config import Settings
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens

HERE = Path(__file__).parent
LIMITS = {"workers": "1", "max_running": "4", "grace": "0.1"}

OpenPage = Callable[..., Page]


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The browser; each test has windows of its own in it."""
    with browsers.chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """A server that knows nobody, so that everybody on this host may do everything; its jobs run.

    Its processes are the shipped ones, those in the folder `processes` here, and what a test puts into the last folder.
    """
    root = tmp_path_factory.mktemp("site")
    (root / "more").mkdir()
    settings = Settings(home=root / "home", runtime_dir=root / "run", processes=(HERE / "processes", root / "more"))
    with serving(settings, shared=True, allow=NOBODY, **LIMITS) as mill:
        yield mill


@pytest.fixture(scope="package")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """A server that knows somebody of each role; who shows no token sees nothing."""
    root = tmp_path_factory.mktemp("guarded")
    settings = Settings(home=root / "home", runtime_dir=root / "run", processes=(HERE / "processes",))
    with serving(settings, shared=True, anonymous="none", **LIMITS) as mill:
        yield mill


@pytest.fixture(scope="package")
def tokens(guarded: Mill) -> dict[str, str]:
    """A token of each role at the guarded server; the names of their owners are the roles too."""
    return {str(role): Tokens(guarded.settings.home).create(str(role), role, None, None) for role in Role if role}


@pytest.fixture
def open_page(browser: Browser, site: Mill) -> Iterator[OpenPage]:
    """Open a page: open_page("/jobs", dark=True, width=360, scripts=False, at=guarded, token=...); no path: blank."""
    with ExitStack() as stack:

        def open_one(path: str | None = None, at: Mill = site, token: str | None = None, **options: Any) -> Page:
            page = stack.enter_context(browsers.window(browser, at.url, **options))
            if token is not None:
                browsers.sign_in(page, at.url, token)
            if path is not None:
                page.goto(path)
            return page

        yield open_one


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A blank page, light and wide, with scripts."""
    return open_page()


@pytest.fixture
def quiet_page(open_page: OpenPage) -> Page:
    """A blank page that runs no scripts."""
    return open_page(scripts=False)
