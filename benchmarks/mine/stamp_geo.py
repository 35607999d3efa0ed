"""Says when it began, from the template with numpy and rasterio in it."""

import time

import numpy
import rasterio

from geomill.processes import process


@process
def stamp_geo() -> int:
    """When the first line of user code ran: nanoseconds of CLOCK_MONOTONIC."""
    begun = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    assert numpy.zeros(1)[0] == 0 and rasterio.__version__
    return begun
