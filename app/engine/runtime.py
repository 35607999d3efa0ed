"""What servers and their dispatcher find each other by: names in the runtime directory, and an identity to compare."""

from __future__ import annotations

from pathlib import Path

from geomill.app.config import Settings

ELECTION, SERVING, SOCKET, LOG = "election", "serving", "dispatcher.sock", "dispatcher.log"
CALLING = "callbacks"  # held by who tells subscribers


def identity(settings: Settings) -> str:
    """Equal for two servers whose dispatchers would do the same."""
    return f"{code()} {settings.digest()}"


def code() -> str:
    """Names the installed code: its version, and the files of it, which a developer changes without changing that."""
    from hashlib import sha256
    from importlib.metadata import version

    top = Path(__file__).parents[1]  # the package that holds the engine; its two neighbours are installed with it
    found = sorted((str(path), path.stat().st_mtime_ns) for path in top.rglob("*.py"))
    return f"{version('geomill')} {sha256(repr(found).encode()).hexdigest()[:12]}"
