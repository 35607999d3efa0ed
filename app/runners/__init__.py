"""How a kind of package runs. A runner knows nothing of status, locks or supervisors."""

from __future__ import annotations

from types import ModuleType

from geomill.app.runners import python
from geomill.app.runners.task import Failed, Task

RUNNERS: dict[str, ModuleType] = {"python": python}

__all__ = ["RUNNERS", "Failed", "Task"]
