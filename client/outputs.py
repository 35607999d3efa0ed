"""What a job gave: read from an answer of any service, saved to a folder."""

from __future__ import annotations

import base64
import binascii
import email.parser
import email.policy
import json
import mimetypes
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from geomill.client.reply import joined, parsed

SUFFIXES = {  # where the standard library has none, or another than people expect
    "application/json": ".json",
    "application/geo+json": ".geojson",
    "application/netcdf": ".nc",
    "application/x-netcdf": ".nc",
    "image/tiff": ".tif",
    "text/plain": ".txt",
}
LONGEST_NAME = 200  # bytes of one, which leaves room for what is added


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


# an output has several items where a service gives several links
Items = Output | list["Items"]
Outputs = dict[str, Items]


def read(body: bytes, content_type: str, url: str) -> Outputs:
    """The outputs in an answer: a results document, one raw value, or a multipart of them. url: for relative links."""
    if not body:
        return {}
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("multipart/"):
        return {part.name: part for part in _parts(body, content_type, url)}
    if kind and "json" not in kind:
        return {"result": Output("result", content=body, media_type=kind)}
    document = parsed(body)
    if document is None and body.strip() != b"null":
        return {"result": Output("result", content=body, media_type=kind or None)}
    if not isinstance(document, dict):
        return {"result": _items("result", document, url)}
    listed = document.get("outputs")  # how pygeoapi writes a document
    if (
        set(document) == {"outputs"}
        and isinstance(listed, list)
        and all(isinstance(item, dict) and "id" in item for item in listed)
    ):
        document = {str(item["id"]): {name: item[name] for name in item if name != "id"} for item in listed}
    return {name: _items(name, value, url) for name, value in document.items()}


def flat(found: Outputs) -> list[Output]:
    """All of them one after the other; the items of an output are called by its name and their number."""
    return [output for items in found.values() for output in _flattened(items)]


def _flattened(items: Items) -> Iterator[Output]:
    if isinstance(items, Output):
        yield items
    else:
        for each in items:
            yield from _flattened(each)


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


Fetch = Callable[[str], Iterable[bytes]]  # the content behind a link


def save_all(found: Iterable[Output], folder: Path, fetch: Fetch) -> list[Path]:
    """Write each output to a file of its name in folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    saved: list[Path] = []
    for output in found:
        path = folder / file_name(output)
        if path in saved:  # another name that has the same letters left
            path = path.with_name(f"{len(saved) + 1}-{path.name}")
        saved.append(save(output, path, fetch))
    return saved


def save(output: Output, path: Path, fetch: Fetch) -> Path:
    """Write an output to a file, which is there when it is whole: its path."""
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with open(unfinished, "wb") as file:
            for chunk in content(output, fetch):
                file.write(chunk)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def file_name(output: Output) -> str:
    """What the file of an output is called: the name of the output, as far as any system takes it."""
    name = re.sub(r"[^\w.-]", "_", output.name).lstrip(".").encode()[:LONGEST_NAME].decode(errors="ignore")
    return f"{name or 'output'}{_suffix(output)}"


def content(output: Output, fetch: Fetch) -> Iterator[bytes]:
    """What an output is as a file, in pieces."""
    if output.path is not None:
        with open(output.path, "rb") as file:
            while chunk := file.read(1 << 20):
                yield chunk
    elif output.href is not None:
        yield from fetch(output.href)
    elif output.content is not None:
        yield output.content
    elif isinstance(output.value, str):
        yield output.value.encode(errors="replace")
    else:
        yield json.dumps(output.value, ensure_ascii=False).encode(errors="replace")


def _suffix(output: Output) -> str:
    kind = (output.media_type or "").partition(";")[0].strip().lower()
    if isinstance(output.value, str) and kind in ("", "application/json"):
        return ".txt"
    named = PurePosixPath(output.path or re.sub("[?#].*", "", output.href or "", flags=re.DOTALL)).suffix
    if named and re.fullmatch(r"\.[A-Za-z0-9]{1,10}", named):
        return named
    if not kind:
        return ".json" if (output.content, output.href, output.path) == (None, None, None) else ""
    return SUFFIXES.get(kind) or mimetypes.guess_extension(kind) or ""


def _items(name: str, value: Any, url: str) -> Items:
    if isinstance(value, list) and value and all(isinstance(item, dict) and "href" in item for item in value):
        return [_items(f"{name}.{number}", item, url) for number, item in enumerate(value, 1)]
    if isinstance(value, dict) and isinstance(value.get("href"), str):
        return Output(name, href=joined(url, value["href"]), media_type=_text(value.get("type")))
    if isinstance(value, dict) and "value" in value:
        return _qualified(name, value)
    return Output(name, value=value)


def _qualified(name: str, value: dict[str, Any]) -> Output:
    form = value.get("format")
    media_type = _text(value.get("mediaType") or (form.get("mediaType") if isinstance(form, dict) else None))
    if value.get("encoding") == "base64" and isinstance(value["value"], str):
        try:
            return Output(name, content=base64.b64decode(value["value"], validate=True), media_type=media_type)
        except binascii.Error:
            pass
    return Output(name, value=value["value"], media_type=media_type)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _parts(body: bytes, content_type: str, url: str) -> list[Output]:
    """The parts of a multipart/related answer, named by their Content-ID. Source: 18-062r2, 7.11.4."""
    whole = b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body
    found: list[Output] = []
    for number, part in enumerate(email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(whole).iter_parts(), 1):
        name = str(part.get("Content-ID", f"part{number}")).strip("<>")
        name = f"{name}.{number}" if any(name == each.name for each in found) else name
        location, payload, kind = part.get("Content-Location"), part.get_payload(decode=True), part.get_content_type()
        content = payload if isinstance(payload, bytes) else b""
        if location:
            found.append(Output(name, href=joined(url, str(location)), media_type=kind))
        elif "json" in kind and (parsed(content) is not None or content.strip() == b"null"):
            found.append(Output(name, value=parsed(content), media_type=kind))
        else:
            found.append(Output(name, content=content, media_type=kind))
    return found
