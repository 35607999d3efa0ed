"""Documents as text for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Any

WIDTH = 60  # characters of a message in a table


def clean(value: Any) -> str:
    """Text on one line that cannot steer a terminal; nothing for None."""
    text = "" if value is None else str(value)
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def printed(text: str) -> str:
    """Text in lines, with its tabs, that cannot steer a terminal; a bar that was drawn over itself is drawn below."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(letter for letter in lines if letter in "\n\t" or letter.isprintable())


def pretty(document: Any) -> str:
    """A document as indented JSON; what cannot be printed, or would steer a terminal, is escaped."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return "".join(each if each == "\n" or each.isprintable() else json.dumps(each)[1:-1] for each in text)


def table(rows: Iterable[Sequence[Any]]) -> str:
    """Rows in columns as wide as need be."""
    cells = [[clean(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip_longest(*cells, fillvalue="")]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def short(text: Any, width: int = WIDTH) -> str:
    """Text of at most so many characters."""
    line = clean(text)
    return line if len(line) <= width else f"{line[: width - 4]} ..."


def moment(text: Any) -> str:
    """A time of a document in local time, to the second; as it came when it cannot be read."""
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (TypeError, ValueError, OverflowError):
        return clean(text)


def size(count: float) -> str:
    """Bytes with a unit that people read."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def job_rows(jobs: Iterable[dict[str, Any]]) -> list[list[Any]]:
    """Jobs in a table. There is a column for their owners, and for what has expired or is pinned, if any has that."""
    rows = [_job_row(job) for job in jobs]
    return [
        [cell for name, cell in row.items() if name not in ("owner", "kept") or any(each[name] for each in rows)]
        for row in rows
    ]


def _job_row(status: dict[str, Any]) -> dict[str, Any]:
    progress = status.get("progress")
    return {
        "job": status.get("jobID") or status.get("id"),
        "process": status.get("processID"),
        "owner": status.get("owner"),
        "status": status.get("status"),
        "progress": "" if progress is None else f"{progress} %",
        "kept": "expired" if status.get("expired") else "pinned" if status.get("pinned") else "",
        "created": moment(status.get("created")),
        "message": short(status.get("message")),
    }


def process(description: dict[str, Any]) -> str:
    """A process description: what it is, what goes in, what comes out."""
    head = f"{clean(description.get('id'))} {clean(description.get('version'))}  {clean(description.get('title'))}"
    parts = [head.rstrip(), clean(description.get("description"))]
    for name in ("inputs", "outputs"):
        rows = ports(description, name)
        parts.append(
            f"{name.capitalize()}\n" + "\n".join(f"  {row}" for row in table(rows).splitlines()) if rows else ""
        )
    return "\n\n".join(part for part in parts if part)


def ports(description: dict[str, Any], side: str) -> list[list[str]]:
    """The "inputs" or "outputs" of a process: name, kind of values, title."""
    found = description.get(side)
    listed = found.items() if isinstance(found, dict) else ()
    return [_port_row(name, described, side) for name, described in listed if isinstance(described, dict)]


def _port_row(name: str, described: dict[str, Any], side: str) -> list[str]:
    schema = described.get("schema")
    schema = schema if isinstance(schema, dict) else {}
    facts = [_kind(schema)]
    choices = schema.get("enum")
    facts += [f"one of {', '.join(map(str, choices))}"] if isinstance(choices, list) and choices else []
    for key, exclusive, words in (
        ("minimum", "exclusiveMinimum", ("from", "above")),
        ("maximum", "exclusiveMaximum", ("to", "below")),
    ):
        facts += [f"{words[bool(schema.get(exclusive))]} {schema[key]}"] if key in schema else []
    most = described.get("maxOccurs", 1)
    facts += ["any number of them" if most == "unbounded" else f"up to {most}"] if most != 1 else []
    facts += [f"default {json.dumps(schema['default'])}"] if "default" in schema else []
    if side == "inputs":
        facts += ["required" if described.get("minOccurs", 1) != 0 and "default" not in schema else "optional"]
    return [name, ", ".join(filter(None, facts)), described.get("title") or described.get("description") or ""]


def _kind(schema: dict[str, Any]) -> str:
    """What kind of values a schema takes, in a word or a few."""
    for part in (schema, *_parts(schema, "allOf")):
        if "ogc-bbox" in str(part.get("format")):
            return "bounding box"
    if branches := _parts(schema, "oneOf") or _parts(schema, "anyOf"):
        return " or ".join(dict.fromkeys(filter(None, (_kind(branch) for branch in branches))))
    items = schema.get("items")
    if schema.get("type") == "array" and isinstance(items, dict) and _kind(items):
        return f"array of {_kind(items)}"
    return ", ".join(str(schema[key]) for key in ("type", "format", "contentMediaType") if schema.get(key))


def _parts(schema: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The schemas that one combines under this name."""
    found = schema.get(name)
    return [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []
