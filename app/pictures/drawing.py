"""A GeoTIFF as a picture on a map, with what has to be said beside it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin  # noqa: F401  loaded here: a reader may read no file any more
from rasterio._err import CPLE_BaseError, CPLE_OutOfMemoryError
from rasterio.enums import ColorInterp
from rasterio.errors import CRSError
from rasterio.warp import Resampling

from . import colours, places
from .reading import TROUBLE, Floats, Undrawable, is_placed, opened

READ = 1536  # pixels of the longer side that are read of a large raster
RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


def draw(descriptor: int) -> tuple[dict[str, Any], bytes]:
    """What is to be said of a GeoTIFF, and its picture as a PNG. descriptor: of the open file.

    `bounds` is where the picture lies: southwest and northeast as [latitude, longitude]; None where nobody can tell.
    Raises Undrawable.
    """
    with opened(descriptor) as dataset:
        facts = _facts(dataset)
        bands = _bands(dataset)
        try:
            sample = _read(dataset, bands, Resampling.nearest)
            few = len(bands) == 1 and _is_few(sample[0], dataset)
            shrunk = sample.shape[1:] != dataset.shape
            if shrunk and not few:
                sample = _read(dataset, bands, Resampling.average)
            facts["statistics"] = {**_statistics(sample[0]), "whole": not shrunk}
            shown = sample
            if is_placed(dataset):
                into = places.frame(dataset)
                smooth = shrunk and not few
                shown = places.warped(sample, dataset, into, Resampling.bilinear if smooth else Resampling.nearest)
                facts["bounds"] = into.corners
        except TROUBLE as error:
            raise Undrawable(_why(error)) from error
        picture, facts["legend"] = _coloured(shown, sample, dataset, bands, few)
    facts["picture"] = [picture.shape[1], picture.shape[0]]
    return facts, _png(picture)


def _facts(dataset: Any) -> dict[str, Any]:
    """What a file says of itself."""
    crs = dataset.crs
    return {
        "size": [dataset.width, dataset.height],
        "bands": dataset.count,
        "type": dataset.dtypes[0],
        "nodata": None if dataset.nodata is None else colours.plain(dataset.nodata)
        if np.isfinite(dataset.nodata) else str(dataset.nodata),
        "crs": _named(crs) if crs else None,
        "resolution": [colours.plain(each) for each in dataset.res],
        "descriptions": [text[:200] if text else None for text in dataset.descriptions[:32]],
        "bounds": None,
    }  # fmt: skip


def _named(crs: Any) -> str:
    """A CRS as people know it."""
    authority = crs.to_authority()
    if authority:
        return ":".join(authority)
    return crs.to_dict().get("proj", "")[:40] or "of its own"


def _bands(dataset: Any) -> list[int]:
    """Which bands are drawn: red, green and blue where there are such, or the first."""
    meant = dataset.colorinterp
    if all(each in meant for each in RGB):
        return [meant.index(each) + 1 for each in RGB]
    if dataset.count >= 3 and set(dataset.dtypes[:3]) == {"uint8"}:
        return [1, 2, 3]
    return [1]


def _read(dataset: Any, bands: list[int], resampling: Resampling) -> Floats:
    """Bands as (band, row, column) with as many pixels as a picture can use; NaN where there is no data."""
    scale = min(1.0, READ / max(dataset.shape))
    shape = [max(1, round(each * scale)) for each in dataset.shape]
    found = dataset.read(bands, out_shape=(len(bands), *shape), resampling=resampling)
    if np.iscomplexobj(found):
        found = np.abs(found)
    floats: Floats = found.astype(np.float64)
    floats[dataset.read_masks(bands, out_shape=(len(bands), *shape)) == 0] = np.nan
    return floats


def _is_few(band: Floats, dataset: Any) -> bool:
    """Whether the values are kinds of things: they have colours of their own, or there are only a few."""
    if dataset.colorinterp[0] is ColorInterp.palette:
        return True
    return len(np.unique(band[np.isfinite(band)])) <= colours.FEW


def _coloured(
    shown: Floats, sample: Floats, dataset: Any, bands: list[int], few: bool
) -> tuple[colours.Bytes, dict[str, Any]]:
    """shown: the sample as the picture has it, perhaps warped."""
    if len(bands) == 3:
        stretch = {dataset.dtypes[number - 1] for number in bands} != {"uint8"}
        return colours.as_colours(shown, stretch), {"kind": "colours", "bands": bands}
    if not few:
        return colours.as_amount(shown[0])
    palette = dataset.colormap(1) if dataset.colorinterp[0] is ColorInterp.palette else None
    return colours.as_kinds(shown[0], sample[0], palette)


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
