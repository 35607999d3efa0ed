"""Bands of a STAC item: where each is, and what the item says of its numbers."""

import math
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any
from urllib.parse import urlsplit

from geomill.processes import BadInput

PICTURES = {"visual", "thumbnail", "overview"}  # roles of assets whose colours are stretched: no measurement
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
        if not urlsplit(href).scheme:
            raise BadInput("item", f"{self} has a relative href: give the item by reference, or absolute hrefs")
        return href

    @property
    def names(self) -> tuple[Any, Any, str]:
        """Common name, own name, asset key."""
        return self.facts.get("eo:common_name", self.facts.get("common_name")), self.facts.get("name"), self.asset

    def fact(self, name: str, default: Any = None) -> Any:
        """What the raster extension says: `raster:scale` in STAC 1.1, `scale` in `raster:bands` before."""
        said = self.facts.get(f"raster:{name}", self.facts.get(name))
        return default if said is None else said

    def rank(self) -> tuple[bool, float]:
        """Measurements first, then the finest pixels: an item may offer a band several times."""
        data = {"data", "reflectance"}.isdisjoint(self.facts.get("roles") or ())
        return data, float(self.fact("spatial_resolution") or self.fact("gsd") or math.inf)


def bands_of(item: dict[str, Any]) -> list[Band]:
    """The bands of a STAC 1.0 or 1.1 item, best first. Raises BadInput for anything else."""
    assets = item.get("assets")
    if item.get("type") != "Feature" or not isinstance(assets, dict):
        raise BadInput("item", f"a STAC item is a Feature with assets, and this is of type {item.get('type')!r}")
    bands = []
    for key, asset in assets.items():
        if not PICTURES.isdisjoint(asset.get("roles") or ()):
            continue
        named, measured = asset.get("bands") or asset.get("eo:bands") or [{}], asset.get("raster:bands") or []
        for number, described in enumerate(zip_longest(named, measured, fillvalue=NO_FACTS), start=1):
            facts = ChainMap(*described, asset, item.get("properties") or {})
            bands.append(Band(str(item.get("id")), key, number, facts))
    return sorted(bands, key=Band.rank)


def find_band(item: dict[str, Any], name: str, input_id: str) -> Band:
    """The band with this common name, else band name, else asset key. Raises BadInput naming those there are."""
    bands = bands_of(item)
    for kind in range(3):
        for band in bands:
            if band.names[kind] == name:
                return band
    offered = ", ".join(dict.fromkeys(next(filter(None, band.names)) for band in bands)) or "no bands"
    raise BadInput(input_id, f"band {name!r} is not in item {item.get('id')}: it has {offered}")
