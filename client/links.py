"""Links in documents, and what is made of addresses."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from geomill.client.errors import InputError
from geomill.client.reply import Json, joined


def link_to(document: Json, relation: str, base: str) -> str | None:
    """Where the first link of a document leads that has this relation and is for programs. base: of relative links.

    A relation is known by its last part, which is all that versions of the standard agree on.
    """
    for link in links_of(document):
        if link.get("href") and "html" not in str(link.get("type")):
            if str(link.get("rel")).rsplit("/", 1)[-1] == relation:
                return joined(base, str(link["href"]))
    return None


def links_of(document: Json) -> list[Json]:
    """Its links, as far as they are any."""
    found = document.get("links")
    return [link for link in found if isinstance(link, dict)] if isinstance(found, list) else []


def is_log(link: Json) -> bool:
    """Whether a link leads to the log of a step."""
    return link.get("rel") == "related" and str(link.get("href")).endswith(".log")


def below(url: str, name: str) -> str:
    """The address of a part of what is at a URL."""
    parts = urlsplit(url)
    return parts._replace(path=f"{parts.path.rstrip('/')}/{name}").geturl()


def last_segment(url: str) -> str:
    """What of an address names the thing itself."""
    return re.split("[?#]", url, maxsplit=1)[0].rstrip("/").rpartition("/")[2]


def segment(name: str, what: str) -> str:
    """A name as a part of a path. what: that is called so. Raises InputError where no path can have it."""
    if not isinstance(name, str):
        raise InputError(f"expected the id of a {what}, a text, found {type(name).__qualname__}")
    if name in ("", ".", ".."):
        raise InputError(f"{name!r}: no {what} is called so")
    try:
        return quote(name, safe="")
    except UnicodeEncodeError:
        raise InputError(f"{name!r}: no {what} is called so") from None
