"""The code of a process file, kept compiled beside its content: to compile takes longer than many a job."""

from __future__ import annotations

import marshal
import sys
import warnings
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import CodeType

from geomill.jobstore import files

_KIND = f"{sys.implementation.cache_tag}-{sys.flags.optimize}"
_DIGEST = sha256().digest_size


def code_of(source: bytes, path: Path, record: Path) -> CodeType | None:
    """The code of a file that is at `path`; None for what does not compile, or not without a warning: its run tells.

    record: what its content is described in, which is the server's own: beside that it is kept.
    """
    kept = record.with_suffix(f".{_KIND}.code")
    if (code := _recalled(kept)) is not None and code.co_filename == str(path):
        return code
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            code = compile(source, str(path), "exec", dont_inherit=True)
        if warned:  # for the log of each job
            return None
        content = marshal.dumps(code)
        with suppress(OSError):
            files.write_bytes(kept, sha256(content).digest() + content, durable=False)
        return code
    return None


def _recalled(kept: Path) -> CodeType | None:
    """What is kept, if a power cut has not torn it."""
    try:
        content = files.read(kept)
    except OSError:
        return None
    digest, content = content[:_DIGEST], content[_DIGEST:]
    with suppress(EOFError, ValueError, TypeError):  # of another format
        code = marshal.loads(content) if sha256(content).digest() == digest else None  # noqa: S302  our own
        return code if isinstance(code, CodeType) else None
    return None
