"""What notebooks show: HTML, with whatever others wrote escaped, and a bar that moves."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from html import escape
from importlib import import_module
from typing import Any

from geomill.client.progress import Display, words
from geomill.client.reply import Json
from geomill.client.show import clean
from geomill.client.states import is_over, percent


def text(value: Any) -> str:
    """Text that is no markup, on one line."""
    return escape(clean(value))


def link(href: Any, label: Any) -> str:
    """A link to a page, or the label alone where the address is none of the web."""
    if not str(href).startswith(("http://", "https://")):
        return text(label)
    return f'<a href="{text(href)}" target="_blank" rel="noopener">{text(label)}</a>'


def table(heads: Iterable[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows below their heads."""
    head = "".join(f"<th>{text(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def job(status: Json, name: str, url: str | None) -> str:
    """A job in a line: what it is, how far, what it says. name: its id."""
    done = percent(status)
    bar = "" if done is None or is_over(status) else f' <progress max="100" value="{done}"></progress>'
    process = text(status.get("processID") or "job")
    return f"<div>{process} <code>{link(url, name)}</code>{bar} {text(words(status))}</div>"


class Cell(Display):
    """The output of a cell, which is replaced."""

    def __init__(self, name: str, url: str | None) -> None:
        """name, url: of the job."""
        self._name, self._url = name, url
        self._status: Json = {}
        self._handle: Any = None

    def show(self, status: Json) -> None:
        """Show how the job goes."""
        self._status = status
        if self._handle is None:
            self._handle = import_module("IPython.display").display(self, display_id=True)
        else:
            self._handle.update(self)

    def __repr__(self) -> str:
        return words(self._status)

    def _repr_html_(self) -> str:
        return job(self._status, self._name, self._url)


def is_shown() -> bool:
    """Whether this runs in a notebook: a shell of IPython with a kernel, not one in a terminal."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")
