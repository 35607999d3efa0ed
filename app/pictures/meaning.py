"""What the numbers of a raster mean: as its file says, and the STAC items among the results that describe it. Pure.

Sources: STAC 1.0 and 1.1 with the extensions raster 1.1, eo 1.1, classification 2.0; CF conventions 1.11, 3.5 (flags).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from geomill.app.exchange.addresses import beside
from geomill.app.exchange.media_types import is_json
from geomill.app.exchange.strictjson import loads
from geomill.app.exchange.wording import number
from geomill.jobstore import Result

LONGEST = 80  # letters of a word, a name, a unit
MOST = 1000  # kinds of things
NO_DATA = "no data"
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_COLOUR = re.compile(r"#?([0-9A-Fa-f]{6})")

Words = Mapping[float, str]


@dataclass(frozen=True)
class Meaning:
    """Of one band. words: of kinds of things, by their numbers; colours: of the same, as "#1c6edc"."""

    name: str = ""
    unit: str = ""
    nodata: float | None = None
    words: Words = field(default_factory=dict)
    colours: Words = field(default_factory=dict)

    def over(self, other: Meaning) -> Meaning:
        """The same, with what another says where this says nothing."""
        return Meaning(
            self.name or other.name,
            self.unit or other.unit,
            other.nodata if self.nodata is None else self.nodata,
            {**other.words, **self.words},
            {**other.colours, **self.colours},
        )

    def word(self, value: Any) -> str | None:
        """What a number is called. value: as in JSON; None is no data."""
        if value is None or value == self.nodata:
            return self.words.get(self.nodata, NO_DATA) if self.nodata is not None else NO_DATA
        return self.words.get(value)

    def told(self, value: Any) -> str:
        """A number as people read it: with its word or its unit."""
        word = self.word(value)
        if value is None:
            return word or NO_DATA
        text = number(value) if isinstance(value, int | float) else str(value)
        return f"{word} ({text})" if word else f"{text} {self.unit}".rstrip()


def of_tags(tags: Mapping[str, str]) -> Meaning:
    """What the tags of a band say, as files made of NetCDF have them, and ours."""
    return Meaning(_text(tags.get("long_name")), _unit(tags.get("units")), words=_flags(tags))


def _flags(tags: Mapping[str, str]) -> Words:
    """The words of `flag_values`, which are `flag_meanings`."""
    values, words = _NUMBER.findall(tags.get("flag_values", "")), tags.get("flag_meanings", "").split()
    if "flag_masks" in tags or len(values) != len(words):
        return {}
    return {float(value): _spaced(word) for value, word in zip(values[:MOST], words, strict=False)}


def of_file(results: Mapping[str, Result], path: str, read: Callable[[Result], bytes | None]) -> list[Meaning]:
    """What STAC items among results say of the bands of a file, in order; [] where none does.

    path: it was published under; read: the content of another file, if it is not too large.
    """
    for asset in _assets(results, path, read):
        found = of_asset(asset)
        if any(each != Meaning() for each in found):
            return found
    return []


def of_asset(asset: Mapping[str, Any]) -> list[Meaning]:
    """What an asset says of its bands, in order."""
    lists = [_list(asset.get(name)) for name in ("eo:bands", "raster:bands", "bands")]
    bands: list[dict[str, Any]] = [dict(asset) for _ in range(max(1, *map(len, lists)))]
    for band in bands:
        band.pop("name", None)  # names are of bands; what an asset is called is said of all of it
    for each in lists:
        for band, said in zip(bands, each, strict=False):
            band.update(said)
    return [_of_band(band) for band in bands]


def _of_band(band: Mapping[str, Any]) -> Meaning:
    name, common = _text(band.get("name")), _text(band.get("common_name") or band.get("eo:common_name"))
    words: dict[float, str] = {}
    colours: dict[float, str] = {}
    nodata = _float(band.get("nodata"))
    for each in _list(band.get("classification:classes"))[:MOST]:
        value = _float(each.get("value"))
        if value is None:
            continue
        word = _text(each.get("title")) or _spaced(_text(each.get("name"))) or _text(each.get("description"))
        if word:
            words[value] = word
        if isinstance(hint := each.get("color_hint"), str) and (colour := _COLOUR.fullmatch(hint)):
            colours[value] = f"#{colour[1].lower()}"
        if each.get("nodata") is True and nodata is None:
            nodata = value
    both = f"{name} ({common})" if name and common and name != common else name or common
    return Meaning(both, _unit(band.get("unit")), nodata, words, colours)


def _assets(
    results: Mapping[str, Result], path: str, read: Callable[[Result], bytes | None]
) -> Iterator[Mapping[str, Any]]:
    """The assets that a file is, in items of folders, in values, in other files."""
    for document, place in _documents(results, read):
        features = document.get("features") if document.get("type") == "FeatureCollection" else [document]
        for item in _list(features):
            assets = item.get("assets")
            for asset in _list([*assets.values()]) if isinstance(assets, Mapping) else ():
                if path in (beside(place, asset.get("href")), f"{place}{asset.get('href')}"):
                    yield asset


def _documents(
    results: Mapping[str, Result], read: Callable[[Result], bytes | None]
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """(a JSON object, the path that its addresses start from)."""
    for result in results.values():
        if isinstance(result.value, Mapping):
            yield result.value, f"{result.folder}/" if result.folder else ""
    for result in results.values():
        for file in () if isinstance(result.value, Mapping) else result.files():
            if is_json(file.media_type) and (content := read(file)):
                with suppress(ValueError, RecursionError):
                    document = loads(content)
                    if isinstance(document, Mapping):
                        yield document, str(file.file)


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, Sequence) else []


def _text(value: Any) -> str:
    return " ".join(value.split())[:LONGEST] if isinstance(value, str) else ""


def _unit(value: Any) -> str:
    """A unit; of what has none, files say "1"."""
    return "" if (unit := _text(value)) == "1" else unit


def _spaced(word: str) -> str:
    return word.replace("_", " ").strip()[:LONGEST]


def _float(value: Any) -> float | None:
    """A number; "nan" and the like may be written as text."""
    try:
        return None if isinstance(value, bool) or value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
