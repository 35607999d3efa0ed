"""The application. Light on purpose: jobs import geomill.app.engine through it and never need Flask."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geomill.app.config import Settings
    from geomill.app.server import Geomill


def create_app(settings: Settings | None = None) -> Geomill:
    """Make the application; without settings they come from the environment (GEOMILL_*)."""
    import os

    from geomill.app.config import Settings
    from geomill.app.server import Geomill

    return Geomill(settings or Settings.load(os.environ))
