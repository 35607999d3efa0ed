"""What a job gave: read from an answer of any service, shown in a line, saved to a folder."""

from __future__ import annotations

import base64
import binascii
import email.parser
import email.policy
import json
import mimetypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urljoin, urlsplit

from geomill.app.cli import show

SHORT = 100  # characters of a value shown on one line
SUFFIXES = {  # where the standard library has none, or another than people expect
    "application/json": ".json",
    "application/geo+json": ".geojson",
    "application/netcdf": ".nc",
    "application/x-netcdf": ".nc",
    "image/tiff": ".tif",
    "text/plain": ".txt",
}


@dataclass(frozen=True)
class Output:
    """One output, or one item of an output that has several: a value, content, a link or a file.

    path: on this host; a link that a service gives never becomes one.
    """

    name: str
    value: Any = None
    content: bytes | None = None
    href: str | None = None
    path: Path | None = None
    media_type: str | None = None


def read(body: bytes, content_type: str, url: str) -> list[Output]:
    """The outputs in an answer: a results document, one raw value, or a multipart of them. url: for relative links."""
    if not body:
        return []
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("multipart/"):
        return _parts(body, content_type, url)
    if kind and "json" not in kind:
        return [Output("result", content=body, media_type=kind)]
    try:
        document = json.loads(body)
    except ValueError:
        return [Output("result", content=body, media_type=kind or None)]
    if not isinstance(document, dict):
        return list(_outputs("result", document, url))
    listed = document.get("outputs")  # how pygeoapi writes a document
    if (
        set(document) == {"outputs"}
        and isinstance(listed, list)
        and all(isinstance(item, dict) and "id" in item for item in listed)
    ):
        document = {str(item["id"]): {name: item[name] for name in item if name != "id"} for item in listed}
    return [output for name, value in document.items() for output in _outputs(name, value, url)]


def document(outputs: list[Output]) -> dict[str, Any]:
    """The outputs as a results document. Source: OGC 18-062r2, results.yaml."""
    members: dict[str, Any] = {}
    for output in outputs:
        href = output.href if output.path is None else output.path.absolute().as_uri()
        if href is not None:
            members[output.name] = {"href": href} | ({"type": output.media_type} if output.media_type else {})
        elif output.content is not None:
            text = base64.b64encode(output.content).decode()
            kind = {"mediaType": output.media_type} if output.media_type else {}
            members[output.name] = {"value": text, "encoding": "base64"} | kind
        else:
            members[output.name] = {"value": output.value} if isinstance(output.value, dict) else output.value
    return members


def line(output: Output, longest: int | None = SHORT) -> str:
    """An output in a line: its value, cut after so many characters, or where it is."""
    kind = f"  ({output.media_type})" if output.media_type else ""
    if output.path is not None:
        return f"{output.path}{kind}"
    if output.href is not None:
        return f"{output.href}{kind}"
    if output.content is not None:
        return f"{len(output.content)} bytes{kind}"
    text = output.value if isinstance(output.value, str) else json.dumps(output.value, ensure_ascii=False)
    whole = show.clean(text)
    if longest is None or len(whole) <= longest:
        return whole
    return f"{whole[:longest]} ...  (--output DIR saves it all)"


def save(output: Output, folder: Path, fetch: Callable[[str], Iterator[bytes]]) -> Path:
    """Write an output to a file of its name in folder. fetch: the content behind a link."""
    name = re.sub(r"[^\w.-]", "_", output.name).lstrip(".") or "output"
    path = folder / f"{name}{_suffix(output)}"
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with open(unfinished, "wb") as file:
            for chunk in _content(output, fetch):
                file.write(chunk)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _content(output: Output, fetch: Callable[[str], Iterator[bytes]]) -> Iterator[bytes]:
    if output.path is not None:
        with open(output.path, "rb") as file:
            while chunk := file.read(1 << 20):
                yield chunk
    elif output.href is not None:
        yield from fetch(output.href)
    elif output.content is not None:
        yield output.content
    elif isinstance(output.value, str):
        yield output.value.encode()
    else:
        yield json.dumps(output.value, ensure_ascii=False).encode()


def _suffix(output: Output) -> str:
    kind = (output.media_type or "").partition(";")[0].strip().lower()
    if isinstance(output.value, str) and kind in ("", "application/json"):
        return ".txt"
    named = PurePosixPath(output.path or urlsplit(output.href or "").path).suffix
    if named and re.fullmatch(r"\.[A-Za-z0-9]{1,10}", named):
        return named
    if not kind:
        return ".json" if (output.content, output.href, output.path) == (None, None, None) else ""
    return SUFFIXES.get(kind) or mimetypes.guess_extension(kind) or ""


def _outputs(name: str, value: Any, url: str) -> Iterator[Output]:
    if isinstance(value, list) and value and all(isinstance(item, dict) and "href" in item for item in value):
        for number, item in enumerate(value, 1):
            yield from _outputs(f"{name}.{number}", item, url)
    elif isinstance(value, dict) and isinstance(value.get("href"), str):
        yield Output(name, href=urljoin(url, value["href"]), media_type=value.get("type"))
    elif isinstance(value, dict) and "value" in value:
        yield _qualified(name, value)
    else:
        yield Output(name, value=value)


def _qualified(name: str, value: dict[str, Any]) -> Output:
    media_type = value.get("mediaType") or (value.get("format") or {}).get("mediaType")
    if value.get("encoding") == "base64" and isinstance(value["value"], str):
        try:
            return Output(name, content=base64.b64decode(value["value"], validate=True), media_type=media_type)
        except binascii.Error:
            pass
    return Output(name, value=value["value"], media_type=media_type)


def _parts(body: bytes, content_type: str, url: str) -> list[Output]:
    """The parts of a multipart/related answer, named by their Content-ID. Source: 18-062r2, 7.11.4."""
    whole = b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body
    found = []
    for number, part in enumerate(email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(whole).iter_parts(), 1):
        name = str(part.get("Content-ID", f"part{number}")).strip("<>")
        location = part.get("Content-Location")
        content = part.get_payload(decode=True)
        kind = part.get_content_type()
        if location:
            found.append(Output(name, href=urljoin(url, str(location)), media_type=kind))
        elif "json" in kind and isinstance(content, bytes):
            found.append(Output(name, value=json.loads(content), media_type=kind))
        else:
            found.append(Output(name, content=content if isinstance(content, bytes) else b"", media_type=kind))
    return found
