"""Does nothing for a while, from the template without libraries."""

import time

from geomill.processes import process


@process
def pause_base(seconds: int) -> int:
    """Sleep, and say for how long."""
    time.sleep(seconds)
    return seconds
