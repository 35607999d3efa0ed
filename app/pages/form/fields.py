"""The fields that hold one value each: text, a number, a choice, JSON."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from geomill.app.exchange.strictjson import loads
from geomill.app.pages.form.entries import MISSING, At, Entries, Filled, Json, Missing
from geomill.app.pages.form.snippets import UNSEEN, coded, laid_out

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d)?Z", re.ASCII)
_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?", re.ASCII)
PLAIN = ("text", "yes or no", "bounding box", "date", "JSON")
LONG = 200  # characters of a text that is written in several lines


@dataclass(frozen=True)
class Field(ABC):
    """A part of a form. words: what it takes ("whole number, 1 to 10"); default: MISSING where there is none.

    required: it is to be given; nullable: null will do.
    """

    title: str = ""
    help: str = ""
    words: str = ""
    required: bool = False
    nullable: bool = False
    default: Json | Missing = MISSING
    kind: ClassVar[str] = ""

    @property
    def takes(self) -> str:
        """The words, where a field does not say them by what it looks like, or is called."""
        said = self.words in PLAIN or self.words.lower() in f"{self.title} {self.help}".lower()
        return "" if said else self.words

    @property
    def has_default(self) -> bool:
        """Whether it begins with a value."""
        return not isinstance(self.default, Missing)

    def begin(self, name: str) -> Filled:
        """What is in it at first."""
        return self.fill(name, self.default)

    @abstractmethod
    def fill(self, name: str, value: Json | Missing) -> Filled:
        """The entries for a value; not all of it where it cannot be shown."""

    @abstractmethod
    def read(self, at: At) -> Json | Missing:
        """The value of the entries, MISSING where it is left out."""

    def parts(self, name: str, entries: Entries) -> Iterator[tuple[str, Field]]:
        """The fields inside, by name, as many as are shown now."""
        yield from ()

    def nothing(self) -> Json | Missing:
        """What an empty field says."""
        return None if self.required and self.nullable else MISSING


@dataclass(frozen=True)
class Text(Field):
    """A text. format: as in its schema; long: of several lines."""

    format: str = ""
    long: bool = False
    kind: ClassVar[str] = "text"

    def fill(self, name: str, value: Json | Missing) -> Filled:
        """As above; a page cannot hold every character."""
        return [(name, value if isinstance(value, str) and not UNSEEN.search(value) else "")]

    def read(self, at: At) -> Json | Missing:
        """As above; browsers end lines as no other program does, and have dates without a zone, which are in UTC."""
        at.here()
        text = at.text().replace("\r\n", "\n").replace("\r", "\n")
        if self.format == "date-time" and _LOCAL.fullmatch(text):
            text = f"{text}Z" if text.count(":") == 2 else f"{text}:00Z"
        return text or self.nothing()

    def control(self, text: str) -> tuple[str, str]:
        """The type of the input element that can hold a text, and what it holds; "textarea" where it has lines."""
        if self.format == "password" and "\n" not in text:
            return "password", text
        if self.long or "\n" in text or len(text) > LONG:
            return "textarea", text
        if self.format == "date" and (not text or _DATE.fullmatch(text)):
            return "date", text
        if self.format == "date-time" and (not text or _MOMENT.fullmatch(text) or _LOCAL.fullmatch(text)):
            return "datetime-local", text.removesuffix("Z")
        return "text", text


@dataclass(frozen=True)
class Number(Field):
    """A number. What is none stays the text that it is, for the check to say so: nothing typed is lost.

    That is why it is a field of text, too: one of numbers would post nothing for what it does not understand.
    step, low, high: where its schema says them, for who counts with the arrow keys.
    """

    step: Json = None
    low: Json = None
    high: Json = None
    kind: ClassVar[str] = "number"

    def fill(self, name: str, value: Json | Missing) -> Filled:
        """As above."""
        return [(name, json.dumps(value) if is_number(value) else "")]

    def read(self, at: At) -> Json | Missing:
        """As above."""
        at.here()
        text = at.text().strip()
        return number(text) if text else self.nothing()


@dataclass(frozen=True)
class Choice(Field):
    """One of several values. options: any JSON; entries hold them as JSON text."""

    options: tuple[Json, ...] = ()
    kind: ClassVar[str] = "choice"
    takes = ""  # what it offers says that

    @property
    def labelled(self) -> list[tuple[str, str]]:
        """The text of each option's entry, and what people read."""
        return [(coded(option), option if isinstance(option, str) else coded(option)) for option in self.options]

    @property
    def fixed(self) -> bool:
        """Whether there is nothing to choose."""
        return self.required and len(self.options) == 1 and not self.nullable

    def begin(self, name: str) -> Filled:
        """As above."""
        return self.fill(name, self.options[0] if self.fixed else self.default)

    def fill(self, name: str, value: Json | Missing) -> Filled:
        """As above."""
        known = value is not MISSING and coded(value) in map(coded, self.options)
        return [(name, coded(value) if known else "")]

    def read(self, at: At) -> Json | Missing:
        """As above; what is no option stays the text that it is."""
        at.here()
        text = at.text()
        known = {coded(option): option for option in self.options}
        return known.get(text, text) if text else self.nothing()


@dataclass(frozen=True)
class Flag(Choice):
    """Yes or no."""

    options: tuple[Json, ...] = (True, False)
    kind: ClassVar[str] = "flag"

    @property
    def labelled(self) -> list[tuple[str, str]]:
        """As above."""
        return [("true", "yes"), ("false", "no")]


@dataclass(frozen=True)
class Ticks(Field):
    """Several of some values, each once. options: as of Choice."""

    options: tuple[Json, ...] = ()
    kind: ClassVar[str] = "ticks"
    takes = ""

    @property
    def labelled(self) -> list[tuple[str, str]]:
        """As of Choice."""
        return Choice(options=self.options).labelled

    def fill(self, name: str, value: Json | Missing) -> Filled:
        """As above; the empty entry says that it was there, whatever is ticked."""
        chosen = list(map(coded, value)) if isinstance(value, list) else []
        return [(name, ""), *((name, text) for text, _ in self.labelled if text in chosen)]

    def read(self, at: At) -> Json | Missing:
        """As above, in the order of the options."""
        at.here()
        given = at.entries.getlist(at.name)
        chosen = [option for option in self.options if coded(option) in given]
        return chosen if chosen or self.required else MISSING


@dataclass(frozen=True)
class Written(Field):
    """Any value, written in JSON."""

    kind: ClassVar[str] = "written"

    def fill(self, name: str, value: Json | Missing) -> Filled:
        """As above."""
        return [(name, "" if value is MISSING else pretty(value))]

    def read(self, at: At) -> Json | Missing:
        """As above."""
        at.here()
        text = at.text()
        if not text.strip():
            return MISSING
        try:
            return loads(text.encode())
        except ValueError as error:
            return at.wrong(f"{error}." if str(error).startswith("is") else f"It {error}.")


def is_number(value: Any) -> bool:
    """Whether this is a number, which a boolean is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(text: str) -> Json:
    """The number that a text is in JSON, else the text itself."""
    try:
        value = loads(text.encode())
    except ValueError:
        return text
    return value if is_number(value) else text


def pretty(value: Json) -> str:
    """A value as JSON that people can change."""
    return laid_out(value)
