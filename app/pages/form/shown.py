"""What a template needs to show a form: the texts of its fields, what is wrong with them, what they are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from geomill.app.pages.form.compound import Rows
from geomill.app.pages.form.entries import Entries, element_id, inside, is_in
from geomill.app.pages.form.fields import Choice, Field, Text
from geomill.app.pages.form.form import MORE, Form
from geomill.app.pages.words import prose, size

FEW = 4  # options that are shown at once
SHORT = 40  # characters of all their labels


@dataclass(frozen=True)
class Shown:
    """A form as it stands. errors: sentences by the name of a field; focus: the name of what to look at.

    change: the address that buttons send it to; held: gives the upload that an address names, if it is kept.
    """

    form: Form
    entries: Entries
    errors: Mapping[str, str] = field(default_factory=dict)
    focus: str | None = None
    change: str = ""
    held: Callable[[str], Any] = field(default=lambda href: None)
    id = staticmethod(element_id)
    inside = staticmethod(inside)
    size = staticmethod(size)
    prose = staticmethod(prose)

    @cached_property
    def fields(self) -> dict[str, Field]:
        """All that are shown, by name."""
        return dict(self.form.walk(self.entries))

    def text(self, name: str) -> str:
        """The text that a field has."""
        given = self.entries.getlist(name)
        return given[-1] if given else ""

    def has(self, name: str, text: str) -> bool:
        """Whether a box of this name and value is ticked."""
        return text in self.entries.getlist(name)

    def control(self, part: Text, name: str) -> tuple[str, str]:
        """The kind of element that a text needs, and what it holds."""
        return part.control(self.text(name))

    def keys(self, part: Rows, name: str) -> list[str]:
        """The rows of an array."""
        return part.keys(name, self.entries)

    def at_once(self, part: Choice) -> bool:
        """Whether all options are to be seen."""
        labels = [label for _, label in part.labelled]
        return len(labels) <= FEW and sum(map(len, labels)) <= SHORT

    def ticked(self, part: Field, name: str) -> bool:
        """Whether yes or no is a box to tick: where it is one of them, and not left out."""
        return part.has_default and self.text(name) in ("true", "false")

    def described(self, part: Field, name: str) -> str:
        """The elements that say more about a field."""
        about = [f"{element_id(name)}-help"] if part.help or part.takes else []
        return " ".join([*about, *([f"{element_id(name)}-error"] if name in self.errors else [])])

    def anchor(self, name: str) -> str:
        """The element to go to for an error: what is written into, where that has another name."""
        part = self.fields.get(name)
        if part is not None and getattr(part, "inner", part).kind in ("file", "document"):
            return f"{name}:href"
        return name

    def label(self, name: str) -> str:
        """What people know a field as: the input that it is of, and what it is in that."""
        part = self.fields.get(name)
        for each in self.form.inputs:
            if is_in(name, each.name):
                own = part.title if part is not None else ""
                return f"{each.field.title}, {own}" if own and own != each.field.title else each.field.title
        return "More of the request" if name == MORE else unquote(name.removeprefix("inputs/"))
