"""Says when it began, from the template without libraries."""

import time

from geomill.processes import process


@process
def stamp_base() -> int:
    """When the first line of user code ran: nanoseconds of CLOCK_MONOTONIC."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
