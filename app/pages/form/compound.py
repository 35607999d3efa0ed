"""The fields that hold others: the members of an object, the items of an array, one of several shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from geomill.app.exchange import schema as schemas
from geomill.app.pages.form.entries import (
    MISSING,
    MOST_ROWS,
    At,
    Entries,
    Filled,
    Json,
    Missing,
    TooMuch,
    bounded,
    inside,
    made,
    same,
)
from geomill.app.pages.form.fields import Field
from geomill.app.pages.form.snippets import UNSEEN, coded

_KEY = re.compile("[0-9]{1,9}")
MOST_EMPTY = 20  # rows that an array begins with


def shows(part: Field, value: Json) -> bool:
    """Whether a field can show a value: what is filled in is read back as it was."""
    try:
        return same(part.read(At(made(bounded(part.fill("x", value))), "x")), value)
    except TooMuch:
        return False


@dataclass(frozen=True)
class Group(Field):
    """The members of an object. One that need not be given is added and removed as a whole."""

    members: Mapping[str, Field] = field(default_factory=dict)
    kind: ClassVar[str] = "group"

    @property
    def optional(self) -> bool:
        """Whether it can be taken away."""
        return not self.required or self.nullable

    def begin(self, name: str) -> Filled:
        """As above."""
        if self.optional or self.default is not MISSING:
            return self.fill(name, self.default)
        return self.added(name)

    def added(self, name: str) -> Filled:
        """What is in it at first when it is there."""
        yield f"{name}:on", "1"
        for member, part in self.members.items():
            yield from part.begin(inside(name, member))

    def fill(self, name: str, value: Json | Missing) -> Filled:
        """As above."""
        if not isinstance(value, dict):
            yield f"{name}:on", ""
            return
        yield f"{name}:on", "1"
        for member, part in self.members.items():
            yield from part.fill(inside(name, member), value.get(member, MISSING))

    def read(self, at: At) -> Json | Missing:
        """As above."""
        at.here()
        if not at.text(":on"):
            return self.nothing()
        values = {m: f.read(at.of(inside(at.name, m), f".{m}")) for m, f in self.members.items()}
        return {member: value for member, value in values.items() if value is not MISSING}

    def parts(self, name: str, entries: Entries) -> Iterator[tuple[str, Field]]:
        """As above."""
        if entries.get(f"{name}:on"):
            yield from ((inside(name, member), part) for member, part in self.members.items())


@dataclass(frozen=True)
class Rows(Field):
    """The items of an array; those left empty are no items. most: None for any number."""

    item: Field = field(kw_only=True)
    least: int = 0
    most: int | None = None
    kind: ClassVar[str] = "rows"

    def begin(self, name: str) -> Filled:
        """As above."""
        if self.default is not MISSING:
            yield from self.fill(name, self.default)
            return
        yield f"{name}:row", ""
        for key in range(min(max(self.least, 1), MOST_EMPTY) if self.required else 0):
            yield from self.added(name, str(key))

    def added(self, name: str, key: str) -> Filled:
        """One more row."""
        yield f"{name}:row", key
        yield from self.item.begin(inside(name, key))

    def fill(self, name: str, value: Json | Missing) -> Filled:
        """As above; the empty entry says that it was there. Raises TooMuch."""
        items = value if isinstance(value, list) else []
        if len(items) > MOST_ROWS:
            raise TooMuch
        yield f"{name}:row", ""
        for key, item in enumerate(items):
            yield f"{name}:row", str(key)
            yield from self.item.fill(inside(name, key), item)

    def keys(self, name: str, entries: Entries) -> list[str]:
        """The keys of the rows, in order. They stay as they are when others go."""
        return list(dict.fromkeys(key for key in entries.getlist(f"{name}:row") if _KEY.fullmatch(key)))

    def read(self, at: At) -> Json | Missing:
        """As above."""
        at.here()
        items: list[Json] = []
        keys = self.keys(at.name, at.entries)
        for key in keys:
            item = self.item.read(at.of(inside(at.name, key), f"[{len(items)}]"))
            if item is not MISSING:
                items.append(item)
            else:  # the next one has its place
                at.found.places.pop(f"{at.path}[{len(items)}]", None)
        # without a row it is empty, with one that waits to be filled in it is not given
        return items if items or (self.required and not self.nullable and not keys) else self.nothing()

    def parts(self, name: str, entries: Entries) -> Iterator[tuple[str, Field]]:
        """As above."""
        yield from ((inside(name, key), self.item) for key in self.keys(name, entries))


@dataclass(frozen=True)
class Pairs(Rows):
    """The members of an object whose names are free: rows of a name and a value."""

    kind: ClassVar[str] = "pairs"

    def added(self, name: str, key: str) -> Filled:
        """One more row."""
        yield f"{inside(name, key)}:name", ""
        yield from super().added(name, key)

    def fill(self, name: str, value: Json | Missing) -> Filled:
        """As above."""
        given = value if isinstance(value, dict) else {}
        yield from super().fill(name, list(given.values()))
        for key, each in enumerate(given):
            if not UNSEEN.search(each) and "\n" not in each:
                yield f"{inside(name, key)}:name", each

    def read(self, at: At) -> Json | Missing:
        """As above."""
        at.here()
        members: dict[str, Json] = {}
        keys = self.keys(at.name, at.entries)
        for key in keys:
            row = inside(at.name, key)
            name = at.of(row, "").text(":name")
            value = self.item.read(at.of(row, f".{name}"))
            if name in members:
                at.of(row, "").wrong(f"has the name {coded(name)} of another one.", ":name")
            elif value is not MISSING and name:
                members[name] = value
            elif value is not MISSING:
                at.of(row, "").wrong("has no name.", ":name")
        return members if members or (self.required and not self.nullable and not keys) else self.nothing()


@dataclass(frozen=True)
class Variants(Field):
    """One of several shapes of a value. options: a label, the field, the schema of each."""

    options: tuple[tuple[str, Field, Any], ...] = ()
    kind: ClassVar[str] = "variants"
    takes = ""  # what it offers says that

    def begin(self, name: str) -> Filled:
        """As above."""
        if self.default is not MISSING or not self.required or self.nullable:
            return self.fill(name, self.default)
        return self.added(name, 0)

    def added(self, name: str, number: int) -> Filled:
        """One of the shapes, as it begins."""
        return [(f"{name}:variant", str(number)), *self.options[number][1].begin(f"{name}:{number}")]

    def fill(self, name: str, value: Json | Missing) -> Filled:
        """As above: the first that the value fits, and that shows it."""
        shown = [] if value is MISSING else [n for n, (_, part, _) in enumerate(self.options) if shows(part, value)]
        fits = [number for number in shown if _fits(self.options[number][2], value)]
        for number in (*fits, *shown):
            return [(f"{name}:variant", str(number)), *self.options[number][1].fill(f"{name}:{number}", value)]
        return [(f"{name}:variant", "")]

    def chosen(self, name: str, entries: Entries) -> int | None:
        """The number of the shape that was chosen."""
        text = entries.get(f"{name}:variant", "")
        known = text.isdecimal() and text.isascii() and len(text) < 5 and int(text) < len(self.options)
        return int(text) if known else None

    def read(self, at: At) -> Json | Missing:
        """As above."""
        number = self.chosen(at.name, at.entries)
        if number is None:
            at.here()
            return self.nothing()
        return self.options[number][1].read(at.of(f"{at.name}:{number}", ""))

    def parts(self, name: str, entries: Entries) -> Iterator[tuple[str, Field]]:
        """As above."""
        number = self.chosen(name, entries)
        if number is not None:
            yield f"{name}:{number}", self.options[number][1]


def _fits(schema: Any, value: Json) -> bool:
    try:
        return schemas.is_valid(schema, value)
    except (ValueError, TypeError, AttributeError, RecursionError):  # no value can be checked against it
        return False
