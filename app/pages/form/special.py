"""The fields of what the standard gives a form of its own: boxes, files, documents, values with their format."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from geomill.app.exchange.values import QUALIFIERS
from geomill.app.pages.form.compound import Group, Pairs
from geomill.app.pages.form.entries import At, Entries, Filled, Json, Missing
from geomill.app.pages.form.fields import Field, Written, is_number, number
from geomill.app.pages.form.snippets import coded

SIDES = (("0", "West"), ("1", "South"), ("2", "East"), ("3", "North"))  # numbered for who draws them
BOX = {"bbox", "crs"}
HEIGHTS = (("low", "Lowest"), ("high", "Highest"))
FLAT, WITH_HEIGHTS = ("0", "1", "2", "3"), ("0", "1", "low", "2", "3", "high")


@dataclass(frozen=True)
class Box(Field):
    """A bounding box: four numbers, six with heights, and perhaps their reference system."""

    kind: ClassVar[str] = "box"
    sides = SIDES
    heights = HEIGHTS

    def fill(self, name: str, value: Json | Missing) -> Filled:
        """As above."""
        plain = unwrapped(value)
        given: Mapping[str, Any] = plain if isinstance(plain, dict) else {}
        numbers = given.get("bbox")
        count = len(numbers) if isinstance(numbers, list) else 0
        order = WITH_HEIGHTS if count == 6 else FLAT
        known = dict(zip(order, numbers or (), strict=False)) if count in (4, 6) else {}
        texts = {side: coded(known[side]) if is_number(known.get(side)) else "" for side, _ in (*SIDES, *HEIGHTS)}
        crs = given.get("crs")
        return [*((f"{name}:{side}", text) for side, text in texts.items()),
                (f"{name}:crs", crs if isinstance(crs, str) else "")]  # fmt: skip

    def read(self, at: At) -> Json | Missing:
        """As above; without any number it is left out."""
        at.here()
        texts = {side: at.text(f":{side}").strip() for side, _ in (*SIDES, *HEIGHTS)}
        if not any(texts.values()):
            return self.nothing()
        high = bool(texts["low"] or texts["high"])
        order = WITH_HEIGHTS if high else FLAT
        for index, side in enumerate(order):
            at.of(f"{at.name}:{side}", f".bbox[{index}]").here()
        at.of(f"{at.name}:crs", ".crs").here()
        crs = at.text(":crs").strip()
        return {"bbox": [number(texts[side]) for side in order], **({"crs": crs} if crs else {})}


@dataclass(frozen=True)
class File(Field):
    """A file, by its address or with the request. media_types: that it may have; folder: it is a directory."""

    media_types: tuple[str, ...] = ()
    folder: bool = False
    kind: ClassVar[str] = "file"

    def fill(self, name: str, value: Json | Missing) -> Filled:
        """As above."""
        given: Mapping[str, Any] = value if isinstance(value, dict) else {}
        href, type_ = given.get("href"), given.get("type")
        inline = coded(value) if isinstance(given.get("value"), str) else ""
        return [(f"{name}:href", href if isinstance(href, str) else ""),
                (f"{name}:type", type_ if isinstance(type_, str) else ""), (f"{name}:inline", inline)]  # fmt: skip

    def read(self, at: At) -> Json | Missing:
        """As above; an address counts before what is in the request."""
        at.here()
        at.of(f"{at.name}:href", ".href").here()
        at.of(f"{at.name}:type", ".type").here()
        href, type_ = at.text(":href").strip(), at.text(":type").strip()
        if href:
            return {"href": href, **({"type": type_} if type_ else {})}
        inline = at.text(":inline")
        return Written().read(at.of(f"{at.name}:inline", "")) if inline else self.nothing()

    def inline(self, text: str) -> tuple[int, str] | None:
        """The size in bytes and the media type of a file that is in the request. text: of its entry."""
        try:
            value = json.loads(text)
            return len(base64.b64decode(value["value"])), str(value.get("mediaType", ""))
        except (ValueError, TypeError, LookupError, AttributeError):
            return None


@dataclass(frozen=True)
class Document(Written):
    """An object that people have as a document: GeoJSON, STAC. By its address, or written in JSON.

    draw: it is a geometry that can be drawn.
    """

    draw: bool = False
    kind: ClassVar[str] = "document"

    def fill(self, name: str, value: Json | Missing) -> Filled:
        """As above."""
        if isinstance(value, dict) and list(value) == ["href"] and isinstance(value["href"], str):
            return [(name, ""), (f"{name}:href", value["href"])]
        return [*super().fill(name, value), (f"{name}:href", "")]

    def read(self, at: At) -> Json | Missing:
        """As above."""
        at.of(f"{at.name}:href", ".href").here()
        href = at.text(":href").strip()
        if href and at.text().strip():
            return at.wrong("has an address and JSON; give one of them.")
        value = super().read(at)
        return {"href": href} if href else value


@dataclass(frozen=True)
class Qualified(Field):
    """What may be an object: as a value of an input, that is wrapped into {"value": ...}, unless it is a link or box.

    Source: OGC 18-062r2, 7.11.1: inlineOrRefData.yaml.
    """

    inner: Field = field(kw_only=True)
    kind: ClassVar[str] = "qualified"

    def begin(self, name: str) -> Filled:
        """As above."""
        return self.inner.begin(name)

    def fill(self, name: str, value: Json | Missing) -> Filled:
        """As above."""
        return self.inner.fill(name, unwrapped(value))

    def read(self, at: At) -> Json | Missing:
        """As above."""
        value = self.inner.read(at)
        if not isinstance(value, dict) or isinstance(value.get("href"), str) or (value and not set(value) - BOX):
            return value
        written = not isinstance(self.inner, Group | Pairs)  # who writes JSON may write it as it is to be sent
        return value if written and "value" in value and not set(value) - QUALIFIERS else {"value": value}

    def parts(self, name: str, entries: Entries) -> Iterator[tuple[str, Field]]:
        """As above."""
        yield name, self.inner


def unwrapped(value: Json | Missing) -> Json | Missing:
    """The object in {"value": ...}; anything else as it is."""
    wraps = isinstance(value, dict) and list(value) == ["value"] and isinstance(value["value"], dict)
    return value["value"] if wraps and isinstance(value, dict) else value
