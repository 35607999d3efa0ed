"""How a kind of package runs. A runner knows nothing of status, locks or supervisors.

A runner is a module with `run(task)`, `SOURCE`, the name of the content in a package, `warm_up()` for the template that
jobs are forked from, and `rehearse()` for a job that does not know yet what it is.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

RUNNERS = {"python": "geomill.app.runners.python", "cwl": "geomill.app.runners.cwl"}


def runner(name: str) -> ModuleType:
    """The runner of this name: a key of RUNNERS."""
    return importlib.import_module(RUNNERS[name])


def loaded() -> list[ModuleType]:
    """The runners that this process has in memory."""
    return [sys.modules[module] for module in RUNNERS.values() if module in sys.modules]
