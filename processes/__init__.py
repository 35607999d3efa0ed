"""How a process is written: a Python function, hints on its parameters, and `@process` above it.

The signature is the description. What a plain hint cannot say stands in `Annotated[hint, About(...)]`; a file is
`Annotated[Path, File(...)]`. The function stays a function: tests and notebooks call it as always.
Standard library only, and Python 3.9 or newer, because any interpreter that runs processes imports this package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Protocol, TypeVar, overload

__all__ = ["About", "BBox", "BadInput", "Fetch", "File", "Geometry", "Progress", "process"]

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
MARK = "geomill_process"  # the attribute that makes a function a process
JOB_CONTROL = ("sync-execute", "async-execute", "dismiss")
TEMPLATES = (None, "base", "geo")
NETWORKS = ("proxy", "host")
COUNTS = ("max_processes", "max_files", "max_work_files")
UNITS = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS.update({"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40})

F = TypeVar("F", bound=Callable[..., Any])


class About:
    """What a hint cannot say about an input, an output or a field: words, and JSON Schema keywords.

    Keywords are written as in JSON Schema or in snake_case (`minItems`, `min_items`). `min_occurs` and `max_occurs`
    describe the input itself; with `max_occurs` a `list[X]` is many values of X instead of one array.
    """

    media_types: tuple[str, ...] = ()

    def __init__(self, title: str | None = None, description: str | None = None, **keywords: Any) -> None:
        """Keep the words and the keywords; whether they are known is checked when the function is described."""
        self.title, self.description = title, description
        named = {re.sub(r"_([a-z])", lambda m: m[1].upper(), name): value for name, value in keywords.items()}
        self.occurs: dict[str, Any] = {n: named.pop(n) for n in ("minOccurs", "maxOccurs") if n in named}
        self.schema = named


class File(About):
    """About a file: on a Path its content stays on disk, on bytes or str the function gets the content itself.

    media_type: one, or several of which the first is the default. Parameters ("; application=geotiff") are kept.
    """

    def __init__(
        self, title: str, media_type: str | Sequence[str], description: str | None = None, **keywords: Any
    ) -> None:
        """Keep the words, the media types and the keywords."""
        super().__init__(title, description, **keywords)
        self.media_types = (media_type,) if isinstance(media_type, str) else tuple(media_type)


Geometry = Annotated[dict[str, Any], About(format="geojson-geometry")]


class BBox(NamedTuple):
    """A bounding box: lower corner, upper corner (4 or 6 numbers), in the axis order of its CRS."""

    bbox: tuple[float, ...]
    crs: str = CRS84


class Progress(Protocol):
    """A parameter with this hint is no input: the function calls it to tell how far it is."""

    def __call__(self, percent: float, message: str | None = None) -> None:
        """Report 0 to 100 per cent, and a sentence."""


class Fetch(Protocol):
    """A parameter with this hint is no input: the function calls it to download, within the server's rules."""

    def __call__(self, href: str, media_type: str | None = None) -> Path:
        """Download to a file of the job. Raises BadInput for what may not or cannot be fetched."""


class BadInput(Exception):  # noqa: N818  the name reads well where it is raised
    """An input turned out to be wrong while the process ran: BadInput("distance", "is negative"), or a sentence."""

    def __init__(self, *words: str) -> None:
        """Take the input's id and a message, or a message alone."""
        if not 1 <= len(words) <= 2:
            raise TypeError("BadInput takes an input's id and a message, or a message alone")
        super().__init__(*words)
        self.input_id: str | None = words[0] if len(words) == 2 else None
        self.message = words[-1]
        self.path = ""  # into the value, where the message begins with that

    def __str__(self) -> str:
        """Give the message, after the input's id when there is one."""
        return self.message if self.input_id is None else f"{self.input_id}: {self.message}"


class Declaration(NamedTuple):
    """What `@process` was told."""

    id: str | None = None
    version: str = "1.0.0"
    title: str | None = None
    keywords: Sequence[str] = ()
    metadata: Sequence[Mapping[str, Any]] = ()
    template: str | None = None
    cpus: float = 1
    memory: str | int | None = None
    max_running: int | None = None
    time_limit: float | None = None
    network: str = "proxy"
    cpu_limit: float | None = None
    max_processes: int | None = None
    max_files: int | None = None
    max_work: str | int | None = None
    max_work_files: int | None = None
    max_output: str | int | None = None
    job_control: Sequence[str] = JOB_CONTROL
    description: Mapping[str, Any] | None = None


@overload
def process(function: F, /) -> F: ...
@overload
def process(
    *,
    id: str | None = ...,
    version: str = ...,
    title: str | None = ...,
    keywords: Sequence[str] = ...,
    metadata: Sequence[Mapping[str, Any]] = ...,
    template: str | None = ...,
    cpus: float = ...,
    memory: str | int | None = ...,
    max_running: int | None = ...,
    time_limit: float | None = ...,
    network: str = ...,
    cpu_limit: float | None = ...,
    max_processes: int | None = ...,
    max_files: int | None = ...,
    max_work: str | int | None = ...,
    max_work_files: int | None = ...,
    max_output: str | int | None = ...,
    job_control: Sequence[str] = ...,
    description: Mapping[str, Any] | None = ...,
) -> Callable[[F], F]: ...
def process(function: Any = None, /, **declared: Any) -> Any:
    """Make a function a process, without changing it.

    id: the function's name with "-" for "_" by default. title: the docstring's first line by default.
    template: what the job is forked from, "base" or "geo" (numpy, rasterio, shapely loaded); default: by the imports.
    cpus: processors of a job. max_running: jobs at a time.
    What a job may use, within what the server allows: memory: "2 GB" or bytes, which it is planned by, too;
    time_limit: seconds; cpu_limit: seconds of processor time; max_processes: processes and threads; max_files: open in
    one process; max_work, max_work_files: "2 GB" or bytes, and files, in its working directory; max_output: "2 GB" or
    bytes of its results.
    network: "proxy", http and https by the server's rules alone, or "host", for a database or anything else.
    description: members of the OGC process description that replace the derived ones; with `inputs` among them the
    function may take everything in one parameter `inputs`, or in **keywords.
    """
    declaration = _checked(Declaration(**declared))

    def mark(function: F) -> F:
        setattr(function, MARK, declaration)
        return function

    return mark if function is None else mark(function)


def _checked(told: Declaration) -> Declaration:
    """The declaration with its sizes in bytes. Raises ValueError for what no process can have."""
    if told.template not in TEMPLATES:
        raise ValueError(f"template={told.template!r} is not 'base' or 'geo'")
    if not told.job_control or not set(told.job_control) <= set(JOB_CONTROL):
        raise ValueError(f"job_control={told.job_control!r} is not some of {', '.join(JOB_CONTROL)}")
    if told.network not in NETWORKS:
        raise ValueError(f"network={told.network!r} is not 'proxy' or 'host'")
    for name in ("cpus", "max_running", "time_limit", "cpu_limit", *COUNTS):
        value = getattr(told, name)
        if value is not None and not (isinstance(value, (int, float)) and 0 < value < float("inf")):
            raise ValueError(f"{name}={value!r} is not a number above 0")
        if name in COUNTS and value is not None and value != int(value):
            raise ValueError(f"{name}={value!r} is not a whole number")
    for name in ("keywords", "job_control"):
        if isinstance(getattr(told, name), str):
            raise ValueError(f"{name}={getattr(told, name)!r} is one text: write a list")
    return told._replace(
        memory=_bytes("memory", told.memory),
        max_work=_bytes("max_work", told.max_work),
        max_output=_bytes("max_output", told.max_output),
    )


def _bytes(name: str, size: str | int | None) -> int | None:
    """Bytes of a size such as "512 MB" or "2 GiB"."""
    if size is None or (isinstance(size, int) and size > 0):
        return size
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKMGT]i?B|B)", str(size).strip())
    if match is None or match[2] not in UNITS or not float(match[1]):
        raise ValueError(f"{name}={size!r} is not a size such as '512 MB' or '2 GiB'")
    return int(float(match[1]) * UNITS[match[2]])
