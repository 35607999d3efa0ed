"""What a form holds: names and texts, as a browser posts them; and what reading them finds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from werkzeug.datastructures import MultiDict

Json = Any
Entries = MultiDict[str, str]
Filled = Iterable[tuple[str, str]]  # made as it is asked for: what is too much is never made
MOST_SHOWN = 500  # entries of fields in a form, and so fields
MOST_ROWS = 100  # of one array


class TooMuch(Exception):
    """More fields than a form shows; it is written in JSON then."""

    def __init__(self) -> None:
        super().__init__(
            f"A form shows at most {MOST_SHOWN} fields and {MOST_ROWS} rows of one list. Write larger inputs as JSON."
        )


class Missing:
    """Nothing was given: not even null."""


MISSING: Final = Missing()


def inside(name: str, part: object) -> str:
    """The name of a part: of a member, an item, an input."""
    return f"{name}/{quote(str(part), safe='')}"


def is_in(name: str, field: str) -> bool:
    """Whether an entry belongs to a field, or to one in it."""
    return name == field or name.startswith((f"{field}/", f"{field}:"))


def element_id(name: str) -> str:
    """What the element of this name is called in a page: no blanks, and fit for a fragment."""
    return quote(name, safe="/:").replace("%", "=")


def bounded(filled: Filled, most: int = MOST_SHOWN) -> list[tuple[str, str]]:
    """Entries, if they are not too many. Raises TooMuch."""
    found = list(islice(filled, most + 1))
    if len(found) > most:
        raise TooMuch
    return found


def made(filled: Iterable[tuple[str, str]]) -> Entries:
    """Entries of what fields filled in."""
    return MultiDict(filled)


def same(one: Json, other: Json) -> bool:
    """Whether two JSON values are the same: 1, 1.0 and true are not; of members the order says nothing."""
    if Missing in (type(one), type(other)):
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@dataclass
class Found:
    """What reading a form finds beside values. errors: by the name of the field.

    places: the names of fields by the path of what they hold in the value: "bbox[2]", "bands[0].name"; "" is all of it.
    """

    errors: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def name_of(self, path: str) -> str | None:
        """The field that holds this part of the value, or the nearest one around it."""
        while path and path not in self.places:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.places.get(path)


@dataclass(frozen=True)
class At:
    """A field's place in a form and in the value that is read."""

    entries: Entries
    name: str
    path: str = ""
    found: Found = field(default_factory=Found)

    def here(self) -> None:
        """Note which field holds this part of the value."""
        self.found.places.setdefault(self.path, self.name)

    def text(self, suffix: str = "") -> str:
        """The last text that was posted under this name; "" where there is none."""
        given = self.entries.getlist(self.name + suffix)
        return given[-1] if given else ""

    def of(self, name: str, path: str) -> At:
        """Another field, for a part of the value. path: ".member" or "[0]", or "" for the same."""
        return replace(self, name=name, path=(self.path + path).removeprefix("."))

    def wrong(self, sentence: str, suffix: str = "") -> Missing:
        """Note that nothing can be read here, and why."""
        self.found.errors[self.name + suffix] = sentence
        return MISSING
