"""Colours for numbers: ramps and sets whose steps look equally large, made in OKLab. Source: B. Ottosson, 2020."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .meaning import Meaning

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Colour = tuple[int, int, int, int]  # red, green, blue, opacity
STEPS = 256
FEW = 12  # distinct values that are kinds of things, and not an amount
LISTED = 30  # kinds in a legend: nobody reads more, and a palette may have 65 536
DRAWN = 24  # steps of the ramp in a legend
SHOWN = (2.0, 98.0)  # percentiles that the ramp is stretched between: a few odd values would take all of it
_TO_LMS = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
)
_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def rgb(lightness: Any, chroma: Any, hue: Any) -> Bytes:
    """Colours of sRGB. lightness: 0 to 1; chroma: 0 to about 0.3; hue: degrees; arrays of one shape."""
    angle = np.radians(hue)
    lab = np.stack(np.broadcast_arrays(lightness, chroma * np.cos(angle), chroma * np.sin(angle)), axis=-1)
    linear = np.clip((lab @ _TO_LMS.T) ** 3 @ _TO_RGB.T, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(255 * encoded), dtype=np.uint8)


def ramp(steps: int = STEPS) -> Bytes:
    """From dark violet by blue and green to light yellow; (steps, 3)."""
    share = np.linspace(0, 1, steps)
    return rgb(0.27 + 0.68 * share, 0.09 + 0.05 * np.sin(np.pi * share), 310 - 205 * share)


def kinds(values: Floats) -> Bytes:
    """A colour for each of a few values, in order; 0 is pale: it mostly means that something is not there."""
    pale = values == 0
    number = np.cumsum(~pale) - 1
    hue = (250 + 137.5 * number) % 360  # the golden angle: neighbours differ most
    lightness = 0.55 + 0.15 * (number % 3 == 1) - 0.1 * (number % 3 == 2)
    return rgb(np.where(pale, 0.88, lightness), np.where(pale, 0.015, 0.14), hue)


def hexed(colour: Any) -> str:
    """A colour as pages write it: "#1c6edc"."""
    return "#" + "".join(f"{int(part):02x}" for part in colour[:3])


def as_kinds(
    band: Floats, counted: Floats, palette: Mapping[float, Colour] | None, meant: Meaning
) -> tuple[Bytes, dict[str, Any]]:
    """A band of a few values: (rows, columns, 4), and its legend of the most frequent ones.

    counted: the same before it was warped, whose pixels are all alike; palette: the file's own colours, by value.
    """
    values, counts = np.unique(counted[np.isfinite(counted)], return_counts=True)
    of_kinds = np.column_stack([kinds(values), np.full(len(values), 255, np.uint8)])
    if palette is None:
        own = {value: _parts(colour) for value, colour in meant.colours.items()}
        chosen = [own.get(float(value), colour) for value, colour in zip(values, of_kinds, strict=True)]
    else:
        chosen = [palette.get(float(value), (0, 0, 0, 0)) for value in values]
    colours = np.array(chosen, np.uint8).reshape(-1, 4)
    picture = np.zeros((*band.shape, 4), np.uint8)
    valid = np.isfinite(band)
    picture[valid] = colours[np.searchsorted(values, band[valid])]
    seen = np.flatnonzero(colours[:, 3])
    listed = np.sort(seen[np.argsort(-counts[seen], kind="stable")[:LISTED]])
    entries = [
        {"value": plain(values[each]), "word": meant.word(float(values[each])), "colour": hexed(colours[each]),
         "share": round(100 * int(counts[each]) / int(counts.sum()), 2)}
        for each in listed
    ]  # fmt: skip
    return picture, {"kind": "values", "entries": entries, "more": len(seen) - len(listed)}


def _parts(colour: str) -> Colour:
    """A colour as pages write it, in bytes."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue, 255


def as_amount(band: Floats) -> tuple[Bytes, dict[str, Any]]:
    """A band of amounts, stretched over the ramp: (rows, columns, 4), and its legend."""
    valid = np.isfinite(band)
    low, high = limits(band[valid])
    picture = np.zeros((*band.shape, 4), np.uint8)
    picture[valid, :3] = ramp()[stretched(band[valid], low, high)]
    picture[valid, 3] = 255
    colours = [hexed(colour) for colour in ramp(DRAWN)]
    return picture, {"kind": "ramp", "low": plain(low), "high": plain(high), "colours": colours}


def as_colours(bands: Floats, stretch: bool) -> Bytes:
    """Three bands as red, green and blue: (rows, columns, 4). stretch: they are no bytes."""
    valid = np.isfinite(bands).all(axis=0)
    picture = np.zeros((*valid.shape, 4), np.uint8)
    for number, band in enumerate(bands):
        low, high = limits(band[valid]) if stretch else (0.0, 255.0)
        picture[valid, number] = stretched(band[valid], low, high)
    picture[valid, 3] = 255
    return picture


def limits(values: Floats) -> tuple[float, float]:
    """What is drawn darkest and lightest."""
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, SHOWN)
    if low == high:
        low, high = values.min(), values.max()
    return float(low), float(high)


def stretched(values: Floats, low: float, high: float) -> Bytes:
    """From 0 for low to 255 for high."""
    share = (values / 2 - low / 2) / ((high / 2 - low / 2) or 1.0)  # halves: a difference may be no number any more
    return np.round(255 * np.clip(share, 0, 1)).astype(np.uint8)


def plain(value: float) -> float | int:
    """A number as JSON: whole ones without a point."""
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(f"{value:.6g}")
