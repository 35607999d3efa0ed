"""A GeoTIFF as a picture on a map, with what has to be said beside it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin  # noqa: F401  loaded here: a reader may read no file any more
from rasterio._err import CPLE_BaseError, CPLE_OutOfMemoryError
from rasterio.enums import ColorInterp
from rasterio.errors import CRSError
from rasterio.warp import Resampling

from . import colours, places
from .meaning import Meaning
from .reading import TROUBLE, Floats, Undrawable, check_band, is_placed, meaning, opened

READ = 1536  # pixels of the longer side that are read of a large raster
NAMED = 500  # bands that have names
RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


def draw(descriptor: int, band: int | None = None, described: Sequence[Meaning] = ()) -> tuple[dict[str, Any], bytes]:
    """What is to be said of a GeoTIFF, and its picture as a PNG. descriptor: of the open file.

    band: to draw, counted from 1; None: as colours, where its bands are that, else the first. described: what others
    say of its bands, in order. `bounds` is where the picture lies: southwest and northeast as [latitude, longitude];
    None where nobody can tell. Raises Undrawable.
    """
    with opened(descriptor) as dataset:
        bands = _bands(dataset, band)
        meant = meaning(dataset, bands[0], described)
        facts = _facts(dataset, described)
        try:
            sample = _read(dataset, bands, Resampling.nearest, meant)
            few = len(bands) == 1 and _is_few(sample[0], dataset, bands[0], meant)
            shrunk = sample.shape[1:] != dataset.shape
            if shrunk and not few:
                sample = _read(dataset, bands, Resampling.average, meant)
            facts["statistics"] = {**_statistics(sample[0]), "whole": not shrunk}
            shown = sample
            if is_placed(dataset):
                into = places.frame(dataset)
                smooth = shrunk and not few
                shown = places.warped(sample, dataset, into, Resampling.bilinear if smooth else Resampling.nearest)
                facts["bounds"] = into.corners
        except TROUBLE as error:
            raise Undrawable(_why(error)) from error
        picture, legend = _coloured(shown, sample, dataset, bands, few, meant)
        if len(bands) == 1:
            facts |= _of_band(dataset, bands[0], meant)
            legend |= _no_data(meant, facts["statistics"]["valid"])
        facts["legend"] = legend
    facts["picture"] = [picture.shape[1], picture.shape[0]]
    return facts, _png(picture)


def _facts(dataset: Any, described: Sequence[Meaning]) -> dict[str, Any]:
    """What a file says of itself, and others of it."""
    crs = dataset.crs
    return {
        "size": [dataset.width, dataset.height],
        "bands": dataset.count,
        "names": [meaning(dataset, band, described).name for band in range(1, min(dataset.count, NAMED) + 1)],
        "colours": _are_colours(dataset),
        "type": dataset.dtypes[0],
        "crs": _named(crs) if crs else None,
        "crs_unit": _unit(crs) if crs else None,
        "resolution": [colours.plain(each) for each in dataset.res],
        "band": None,
        "bounds": None,
    }


def _of_band(dataset: Any, band: int, meant: Meaning) -> dict[str, Any]:
    """What there is to say of the one band that is drawn."""
    scale, offset = dataset.scales[band - 1], dataset.offsets[band - 1]
    return {
        "band": band,
        "type": dataset.dtypes[band - 1],
        "unit": meant.unit,
        "nodata": None if meant.nodata is None else _json(meant.nodata),
        "scaled": None if (scale, offset) == (1, 0) else [_json(scale), _json(offset)],
    }


def _no_data(meant: Meaning, valid: float) -> dict[str, Any]:
    """What the legend says of what is not drawn: its number, its word, its share of all pixels."""
    if meant.nodata is None and valid == 100:
        return {}
    value = None if meant.nodata is None else _json(meant.nodata)
    return {"nodata": {"value": value, "word": meant.word(None), "share": round(100 - valid, 2)}}


def _json(value: float) -> Any:
    return colours.plain(value) if np.isfinite(value) else str(value)


def _named(crs: Any) -> str:
    """A CRS as people know it."""
    authority = crs.to_authority()
    if authority:
        return ":".join(authority)
    return crs.to_dict().get("proj", "")[:40] or "of its own"


def _unit(crs: Any) -> str | None:
    """What its coordinates count."""
    if crs.is_geographic:
        return "degrees"
    return {"metre": "m", "unknown": None}.get(crs.linear_units, crs.linear_units)


def _are_colours(dataset: Any) -> list[int] | None:
    """The bands that are red, green and blue, where there are such."""
    meant = dataset.colorinterp
    if all(each in meant for each in RGB):
        return [meant.index(each) + 1 for each in RGB]
    return [1, 2, 3] if dataset.count >= 3 and set(dataset.dtypes[:3]) == {"uint8"} else None


def _bands(dataset: Any, band: int | None) -> list[int]:
    """Which bands are drawn: the one that is asked for, those that are colours, or the first. Raises Undrawable."""
    if band is None:
        return _are_colours(dataset) or [1]
    check_band(dataset, band)
    return [band]


def _read(dataset: Any, bands: list[int], resampling: Resampling, meant: Meaning) -> Floats:
    """Bands as (band, row, column) with as many pixels as a picture can use; NaN where there is no data."""
    scale = min(1.0, READ / max(dataset.shape))
    shape = [max(1, round(each * scale)) for each in dataset.shape]
    found = dataset.read(bands, out_shape=(len(bands), *shape), resampling=resampling)
    if np.iscomplexobj(found):
        found = np.abs(found)
    floats: Floats = found.astype(np.float64)
    floats[dataset.read_masks(bands, out_shape=(len(bands), *shape)) == 0] = np.nan
    if len(bands) == 1 and dataset.nodata is None and meant.nodata is not None:
        floats[floats == meant.nodata] = np.nan  # others say so
    return floats


def _is_few(values: Floats, dataset: Any, band: int, meant: Meaning) -> bool:
    """Whether the values are kinds of things: they have colours or words of their own, or there are only a few."""
    if _palette(dataset, band) is not None:
        return True
    distinct = np.unique(values[np.isfinite(values)])
    unnamed = len(distinct) - len(np.intersect1d(distinct, list(meant.words))) if meant.words else len(distinct)
    return unnamed <= colours.FEW


def _palette(dataset: Any, band: int) -> dict[float, colours.Colour] | None:
    """The colours that a file has for its values, by these."""
    if dataset.colorinterp[band - 1] is not ColorInterp.palette:
        return None
    return {float(value): colour for value, colour in dataset.colormap(band).items()}


def _coloured(
    shown: Floats, sample: Floats, dataset: Any, bands: list[int], few: bool, meant: Meaning
) -> tuple[colours.Bytes, dict[str, Any]]:
    """shown: the sample as the picture has it, perhaps warped."""
    if len(bands) == 3:
        stretch = {dataset.dtypes[number - 1] for number in bands} != {"uint8"}
        return colours.as_colours(shown, stretch), {"kind": "colours", "bands": bands}
    if not few:
        return colours.as_amount(shown[0])
    return colours.as_kinds(shown[0], sample[0], _palette(dataset, bands[0]), meant)


def _statistics(band: Floats) -> dict[str, Any]:
    """Of the first band that is drawn; of a large raster as it was read, in fewer pixels."""
    valid = band[np.isfinite(band)]
    found: dict[str, Any] = {"valid": round(100 * valid.size / band.size, 2)}
    if valid.size:
        with np.errstate(over="ignore", invalid="ignore"):  # what is no number is left out
            each = {"min": valid.min(), "max": valid.max(), "mean": valid.mean(), "std": valid.std()}
        found |= {name: colours.plain(value) for name, value in each.items() if np.isfinite(value)}
    return found


def _png(picture: colours.Bytes) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=4)
    return file.getvalue()


def _why(error: Exception) -> str:
    if isinstance(error, MemoryError) or isinstance(error.__cause__, CPLE_OutOfMemoryError):
        return "It is too large: its blocks do not fit into the memory that there is for a picture."
    if isinstance(error, (CPLE_BaseError, CRSError)):  # what cannot be read is a RasterioError
        return "It cannot be put on a map from its projection."
    return "It is damaged: it cannot be read to its end."
