"""Where a secret has got to: every file, every process, every answer, in clear or in a disguise."""

from __future__ import annotations

import base64
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote


def disguises(secret: str) -> set[bytes]:
    """A text as it may be spelled: in clear, quoted, in hex, in base64 wherever it begins and in both alphabets."""
    raw = secret.encode()
    found = {raw, quote(secret, safe="").encode(), raw.hex().encode(), raw[::-1], raw.decode().encode("utf-16-le")}
    for start in range(3):
        coded = base64.b64encode(b"x" * start + raw)
        whole = coded[(0, 2, 3)[start] : -4]  # what depends on no neighbour
        found |= {whole, whole.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def holds(content: bytes, secret: str) -> bool:
    """Whether a content shows a secret; what is zipped is looked into."""
    if any(each in content for each in disguises(secret)):
        return True
    if content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(holds(archive.read(name), secret) for name in archive.namelist())
    return False


def files(*roots: Path, secret: str) -> set[Path]:
    """The files below some folders that show a secret, be it by their names."""
    return {path for root in roots for path in _below(root) if holds(os.fsencode(path), secret) or _shows(path, secret)}


def processes(secret: str) -> set[str]:
    """What of all processes of this host shows a secret: arguments and environments, as everybody may list them."""
    found = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            for kind in ("cmdline", "environ", "comm"):
                if _shows(Path("/proc", entry, kind), secret):
                    found.add(f"{entry} {kind}")
    return found


def _below(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        for name in names:
            yield Path(folder, name)


def _shows(path: Path, secret: str) -> bool:
    try:
        if path.is_symlink():
            return holds(os.fsencode(os.readlink(path)), secret)
        return (path.is_file() and holds(path.read_bytes(), secret))
    except OSError:  # it has gone
        return False
