"""What people see: each page is a template that shows the document which programs get of the same resource."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from flask import Response, current_app, g, render_template, request

from geomill.app import links
from geomill.app.identity.callers import Caller, Unauthenticated
from geomill.app.identity.roles import PUBLIC, Role
from geomill.app.pages import above, trees, turns, words
from geomill.app.pages.assets import address
from geomill.app.security import READS, own_origins, page_headers

if TYPE_CHECKING:
    from geomill.app.server import Geomill

# control characters and what is no character, in whatever a job or a user wrote: no page can hold them. HTML, 13.2.3.5
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_CONTROL = bytes({*range(0x20), 0x7F} - set(b"\t\n\r"))  # those of ASCII


def init_app(app: Geomill) -> None:
    """Give templates, and the macros that they import, what is the same for every page."""
    addresses = {"asset": address, "to": links.to, "in_tenant": links.in_tenant}
    app.jinja_env.globals.update(words=words, turn_of=turns.of, Role=Role, **addresses)


def render(template: str, status: int = 200, **content: Any) -> Response:
    """A page of ours. content: what its template shows, escaped; it loads nothing from elsewhere."""
    page = _legible(render_template(template, **{**_around(), **content}))
    return Response(page, status, page_headers(_app().settings), content_type="text/html; charset=utf-8")


def _legible(page: str) -> str:
    """A page without what no page can hold; bytes are looked through four times as fast as characters."""
    if page.isascii() and len(page.encode().translate(None, _CONTROL)) == len(page):
        return page
    return _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", page)


def document(template: str) -> Callable[[Any], Response]:
    """What makes a page that is no more than a document, well set."""
    return lambda given: render(template, document=given)


def plain(heading: str, text: str = "", more: Callable[[], list[links.Link]] = list) -> Callable[[Any], Response]:
    """What makes a page of any document: its links, and as much of it as a person reads.

    heading: may name what the address does, "Versions of {process_id}"; more: links that it does not have itself.
    """

    def page(given: dict[str, Any]) -> Response:
        content = trees.bounded({name: each for name, each in given.items() if name != "links"})
        address = request.view_args or {}
        named = heading.format(**{**address, "job_id": words.short(address.get("job_id", ""))})
        listed = [*given.get("links", []), *more()]
        return render("document.html", heading=named, text=text, links=listed, content=content)

    return page


def error(problem: dict[str, Any], retry_after: int | None = None) -> Response:
    """A problem document as a page: what happened, whose turn it is, what to try. retry_after: in seconds."""
    status, kind, reads = problem["status"], problem["type"].rpartition("/")[2], request.method in READS
    another = kind in ("unauthenticated", "forbidden")  # caller would do
    login = links.to("login.show", next=_place()) if another else None
    again = links.here() if reads and status in (429, 503, 507) else None
    about = problem.get("instance") or _job(kind) if not another else None
    turn = turns.of(status, kind, retry_after, problem.get("detail", ""))
    plain = links.here().partition("?")[0] if reads and status == 400 and request.query_string else None
    more: dict[str, Any] = {"about": about, "login": login, "again": again, "plain": plain}
    response = render("error.html", problem=problem, turn=turn, reads=reads, **more)
    response.vary.add("Accept")
    response.cache_control.no_store = True
    return response


def _job(kind: str) -> str | None:
    """The page of the job that an error is about, if it is one of a job that is there."""
    job_id = (request.view_args or {}).get("job_id")
    known = job_id and kind != "no-such-job" and request.endpoint != "jobs.show"
    return links.to("jobs.show", job_id=job_id) if known else None


def _place() -> str:
    """The path and query of the page that a browser shows: what it asks for, or where a form was sent from."""
    if request.method in READS:
        return links.here()
    sent = urlsplit(request.referrer or "")
    if not sent.netloc or f"{sent.scheme}://{sent.netloc}" not in own_origins(_app().settings):
        return above.page_above()
    return sent.path + (f"?{sent.query}" if sent.query else "")


def _app() -> Geomill:
    return cast("Geomill", current_app)


def _around() -> dict[str, Any]:
    """What the frame of every page shows."""
    app = _app()
    caller = _caller(app)
    return {
        "server": app.settings.title,
        "caller": caller,
        "role": caller.role if caller else Role.NONE,
        "known": app.identity.knows(),
        "tiles": app.settings.tiles,
        "tiles_by": app.settings.tiles_by,
        "here": _place(),
        "as_json": _as_json(),
    }


def _caller(app: Geomill) -> Caller | None:
    """Who asks, also where that is of no matter; None for who shows what is no good."""
    if g.get("right") not in (None, PUBLIC):
        return cast("Caller | None", g.get("caller"))
    with suppress(Unauthenticated, OSError):
        return app.identity.caller()
    return None


def _as_json() -> str | None:
    """The same as JSON, where there is that."""
    if request.method not in READS or not g.get("has_json"):
        return None
    asked = {**request.args.to_dict(flat=False), "f": ["json"]}
    return links.of_query(request.base_url, asked)
