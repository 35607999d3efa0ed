"""Does nothing for a while, from the template with numpy and rasterio in it."""

import time

import numpy
import rasterio

from geomill.processes import process


@process
def pause_geo(seconds: int) -> int:
    """Sleep, and say for how long."""
    assert numpy.zeros(1)[0] == 0 and rasterio.__version__
    time.sleep(seconds)
    return seconds
