"""A client of OGC API - Processes servers, for scripts and notebooks; the command line is built on it, too.

`Client("http://127.0.0.1:8080").execute("buffer", geometry=geometry, distance=100).results()`
"""

from __future__ import annotations

from geomill.client.client import Client
from geomill.client.errors import InputError, JobFailed, ServiceError, StillRunning, Unreachable
from geomill.client.files import File, Results
from geomill.client.job import Job
from geomill.client.process import Process

__all__ = [
    "Client", "File", "InputError", "Job", "JobFailed", "Process", "Results", "ServiceError", "StillRunning",
    "Unreachable",
]  # fmt: skip
