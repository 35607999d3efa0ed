"""Bands of a STAC item: where each is, and what the item says of its numbers."""

import math
from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any
from urllib.parse import urlsplit

from geomill.processes import BadInput

PICTURES = {"visual", "thumbnail", "overview"}  # roles of assets whose colours are stretched: no measurement
LISTS = ("roles", "bands", "eo:bands", "raster:bands")
KINDS: dict[type, str] = {dict: "an object", list: "an array", str: "a text"}
NO_FACTS: dict[str, Any] = {}


@dataclass(frozen=True)
class Band:
    """One band of a STAC item, with everything the item says of it."""

    item: str
    asset: str
    number: int  # in its file, from 1
    facts: Mapping[str, Any]

    def __str__(self) -> str:
        """How messages name it."""
        return f"asset {self.asset!r} of item {self.item}"

    @property
    def href(self) -> str:
        """Where its file is; absolute, or BadInput."""
        href = str(self.facts.get("href"))
        try:
            scheme = urlsplit(href).scheme
        except ValueError:
            raise BadInput("item", f"{self} has the href {href!r}, which is no address") from None
        if not scheme:
            raise BadInput("item", f"{self} has a relative href: give the item by reference, or absolute hrefs")
        return href

    @property
    def names(self) -> tuple[Any, Any, str]:
        """Common name, own name, asset key."""
        return self.facts.get("eo:common_name", self.facts.get("common_name")), self.facts.get("name"), self.asset

    def fact(self, name: str, default: float) -> float:
        """What the raster extension says: `raster:scale` in STAC 1.1, `scale` in `raster:bands` before."""
        said = self.facts.get(f"raster:{name}", self.facts.get(name))
        try:
            return default if said is None else float(said)  # "nan" is a number there
        except (TypeError, ValueError):
            raise BadInput("item", f"{self} has the {name} {said!r}, which is no number") from None

    def rank(self) -> tuple[bool, float]:
        """Measurements first, then the finest pixels: an item may offer a band several times."""
        data = {"data", "reflectance"}.isdisjoint(self.facts.get("roles") or ())
        return data, self.fact("spatial_resolution", 0) or self.fact("gsd", 0) or math.inf


def bands_of(item: dict[str, Any]) -> list[Band]:
    """The bands of a STAC 1.0 or 1.1 item, best first. Raises BadInput for anything else."""
    assets = item.get("assets")
    if item.get("type") != "Feature" or not isinstance(assets, dict):
        raise BadInput("item", f"a STAC item is a Feature with assets, and this is of type {item.get('type')!r}")
    bands = []
    properties = _of_kind(dict, item.get("properties") or {}, "properties")
    for key, asset in assets.items():
        _of_kind(dict, asset, f"assets.{key}")
        lists = {name: _of_kind(list, asset.get(name) or [], f"assets.{key}.{name}") for name in LISTS}
        if not PICTURES.isdisjoint(_each(str, lists["roles"], f"assets.{key}.roles")):
            continue
        named, measured = lists["bands"] or lists["eo:bands"] or [{}], lists["raster:bands"]
        for number, described in enumerate(zip_longest(named, measured, fillvalue=NO_FACTS), start=1):
            _each(dict, described, f"assets.{key}, band {number}")
            facts = ChainMap({"roles": lists["roles"]}, *described, asset, properties)
            bands.append(Band(str(item.get("id")), key, number, facts))
    return sorted(bands, key=Band.rank)


def _of_kind(kind: type, value: Any, place: str) -> Any:
    """The value itself. Raises BadInput where it is of another kind."""
    if not isinstance(value, kind):
        raise BadInput("item", f"{place} has to be {KINDS[kind]}, and is {value!r:.60}")
    return value


def _each(kind: type, values: Iterable[Any], place: str) -> list[Any]:
    return [_of_kind(kind, value, place) for value in values]


def find_band(item: dict[str, Any], name: str, input_id: str) -> Band:
    """The band with this common name, else band name, else asset key. Raises BadInput naming those there are."""
    bands = bands_of(item)
    for kind in range(3):
        for band in bands:
            if band.names[kind] == name:
                return band
    offered = ", ".join(dict.fromkeys(str(next(filter(None, band.names), "")) for band in bands)) or "no bands"
    raise BadInput(input_id, f"band {name!r} is not in item {item.get('id')}: it has {offered}")
