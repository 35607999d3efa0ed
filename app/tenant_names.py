"""What a tenant may be called, and which tenants a home has. Standard library only: settings are read with it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

DEFAULT = "default"  # whose address is / and /ogc-api
DEPLOYED = "processes"  # in the folder of a tenant
LONGEST = 40  # characters, each of one byte
# what paths begin with
OF_VIEWS = frozenset(
    ("admin", "api", "arcgis", "callback-secret", "conformance", "deploy", "healthz", "jobs", "login", "logout")
    + ("metrics", "ogc-api", "problems", "processes", "readyz", "static", "uploads")
)
RESERVED = OF_VIEWS | {
    # of the home and the runtime directory
    *("identity", "images", "keys", "locks", "logs", "maintenance", "packages", "runtime", "tenants"),
    *("health", "rest", "stac", "temp", "ui", "users", "wps"),
}
_NAME = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{LONGEST - 1}}}", re.ASCII)
EXPECTED = f'at most {LONGEST} lower case letters, digits, "-" and "_", first a letter or digit'


class NoSuchTenant(LookupError):
    """An address names a tenant that is not there, or that cannot be."""


def is_name(text: str) -> bool:
    """Whether a tenant may be called so."""
    return _NAME.fullmatch(text) is not None and text not in RESERVED


def check(name: str) -> None:
    """Raises NoSuchTenant for what cannot be the name of a tenant."""
    if name in RESERVED:
        raise NoSuchTenant(f"No tenant can be called {name!r}: the name is reserved.")
    if not is_name(name):
        raise NoSuchTenant(f"No tenant can be called {name!r}: a name has {EXPECTED}.")


def exists(home: Path, name: str, declared: Iterable[str] = ()) -> bool:
    """Whether a home has this tenant: it is declared, or has a folder."""
    return is_name(name) and (name == DEFAULT or name in declared or (home / name).is_dir())


def at_work(home: Path) -> list[str]:
    """The tenants of a home that have a folder for jobs."""
    return sorted(name for name in os.listdir(home) if is_name(name) and (home / name / "jobs").is_dir())
