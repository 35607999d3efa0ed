"""The tools of the water-bodies example as a workflow runs them, and rasters and items for them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from support.commands import Command

PYTHON = Command("support.commands:python", "rasterio.shutil", "rasterio.warp", "urllib.request")
CHECKOUT = Path(__file__).parents[2]
EXAMPLE = CHECKOUT / "examples" / "water-bodies"
VIRGINIA = CHECKOUT / "examples" / "virginia"
INLET = "-75.64,37.65,-75.60,37.69"


def run(module: str, *arguments: object, tools: Path = EXAMPLE / "tools") -> subprocess.CompletedProcess[str]:
    """Run a tool in the working directory, as a container would: with hardly any environment."""
    return PYTHON(module, *arguments, environment={"PATH": os.environ["PATH"], "PYTHONPATH": str(tools)})


def works(tool: str, *arguments: object) -> str:
    """Run a tool that has to succeed: its log."""
    done = run(f"{tool}.app", *arguments)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return done.stderr


def fails(tool: str, *arguments: object) -> str:
    """Run a tool that has to fail: the last line of its log."""
    done = run(f"{tool}.app", *arguments)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    return done.stderr.splitlines()[-1]


def crop(item: object, *, aoi: str = INLET, band: str = "green", **more: str) -> list[object]:
    """The command line of crop."""
    return ["--input-item", item, "--aoi", aoi, "--band", band, *(f"--{name}={text}" for name, text in more.items())]


def detect(item: object, *, bands: tuple[str, str] = ("green", "nir"), **more: str) -> np.ndarray:
    """What the three tools make of an item."""
    for band in bands:
        works("crop", *crop(item, band=band, **more))
    works("norm_diff", *(f"crop_{band}.tif" for band in bands))
    works("otsu", "norm_diff.tif")
    return pixels("otsu.tif")


def pixels(path: object) -> np.ndarray:
    """The first band of a file."""
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def raster(path: Path, values: Any, *, dtype: str = "uint16", **more: Any) -> Path:
    """Write a small raster: pixels of 10 m, in a UTM zone."""
    values = np.asarray(values, dtype)
    grid = {"crs": "EPSG:32618", "transform": Affine(10, 0, 440730, 0, -10, 4174960)} | more
    size = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": dtype}
    with rasterio.open(path, "w", driver="GTiff", **size, **grid) as dataset:
        dataset.write(values, 1)
    return path


def copied(path: Path, *, id: object, **properties: object) -> Path:
    """The Virginia item with another id and other properties."""
    item = json.loads((VIRGINIA / "item.json").read_text())
    path.write_text(json.dumps(item | {"id": id, "properties": item["properties"] | properties}))
    return path
