"""What a page is made of, as a browser reads it: is it valid, and is it closed?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

import html5lib
from html5lib.constants import E as SENTENCES

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
LOADED = {"script": "src", "img": "src", "link": "href", "source": "src", "video": "src", "audio": "src", "use": "href"}
FORBIDDEN = {"style", "iframe", "frame", "object", "embed", "base", "portal", "template"}
WITH_IDS = ("for", "list", "headers", "aria-controls", "aria-describedby", "aria-labelledby")  # of the same page
LEFT_OPEN = re.compile(r"\{\{|\{%|%\}|\bUndefined\b|<a[^>]*\shref=\"None\"")  # of a template
LEADING = ("href", "src", "action", "formaction", "data", "poster", "srcset")


def policy(answer: Any) -> dict[str, str]:
    """The content security policy of an answer, by directive."""
    parts = answer.headers.get("Content-Security-Policy", "").split(";")
    return dict((*part.split(maxsplit=1), "")[:2] for part in parts if part.strip())  # type: ignore[misc]


def elements(text: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """All elements of a page: name, attributes, text. An error in the HTML fails."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    tree = parser.parse(text)
    assert parser.errors == [], [(place, code, more) for place, code, more in parser.errors][:5]
    for each in tree.iter():
        if isinstance(each.tag, str):
            yield each.tag.rpartition("}")[2], dict(each.attrib), each.text or ""


def anchors(text: str) -> set[str]:
    """The addresses that a page links."""
    return {attributes["href"] for name, attributes, _ in elements(text) if name == "a" and "href" in attributes}


def check_page(answer: Any) -> None:
    """A page of ours: valid; no script or style but those that lie beside it; nothing from elsewhere; in no frame."""
    assert answer.mimetype == "text/html"
    assert policy(answer) == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    address = urlsplit(answer.request.url)
    origin = f"{address.scheme}://{address.netloc}"
    for name, attributes, text in elements(answer.text):
        assert name not in FORBIDDEN and not (name == "script" and text.strip()), (name, text)
        assert not [each for each in attributes if each.startswith("on") or each in ("style", "srcdoc")], attributes
        assert not (name == "meta" and "http-equiv" in attributes), attributes
        for led in LEADING:
            assert urlsplit(attributes.get(led, "")).scheme.lower() in ("", "http", "https"), attributes
        if name in LOADED:
            loaded = attributes[LOADED[name]]
            ours = (loaded.startswith(f"{origin}/") and "/static/" in loaded) or loaded.startswith("#")
            assert ours or (name == "link" and attributes["rel"] == "alternate"), attributes
        for sent in ("action", "formaction"):
            assert urljoin(answer.request.url, attributes.get(sent, "")).startswith(f"{origin}/"), attributes


def mistakes(text: str) -> list[str]:
    """What is wrong with a page by itself, a sentence each; support/checker.py knows more, and costs more."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    root = parser.parse(text)
    found = [f"line {line}: {SENTENCES[code] % values}" for (line, _), code, values in parser.errors]
    found += [f"line {text[: each.start()].count(chr(10)) + 1}: {each[0]!r}" for each in LEFT_OPEN.finditer(text)]
    ids = Counter(each.get("id") for each in root.iter() if each.get("id") is not None)
    found += [f"id {name!r}: {count} times" for name, count in ids.items() if count > 1]
    for each in root.iter():
        led = (each.get("href") or "").rpartition("#") if str(each.get("href")).startswith("#") else ("", "", "")
        named = [name for attribute in WITH_IDS for name in (each.get(attribute) or "").split()] + [led[2]]
        found += [f"there is no id {name!r}: {each.tag}" for name in named if name and name not in ids]
    return found
