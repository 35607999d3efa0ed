"""Read by gunicorn in this folder: `gunicorn wsgi:app` serves as `geomill serve` does; its own options win."""

from geomill.app.cli.web import options
from geomill.app.config import Settings

globals().update(options(Settings.load()))
