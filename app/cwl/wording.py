"""What is wrong with a package, in sentences: cwltool's trees of alternatives cut down to what matters."""

from __future__ import annotations

import re
from typing import Any

from geomill.app.exchange.wording import meant

MOST = 3  # sentences
LONGEST = 250  # characters of one
OTHER_KIND = "is not a valid enum_"  # the `type` or `class` is that of another alternative


def readable(error: Any, uri: str) -> str:
    """Every deepest message of an error, or of its text, with line and column; without paths and machine-made names."""
    while not hasattr(error, "children") and getattr(error, "__cause__", None):  # of a step, wrapped as one text
        error = error.__cause__
    found = []
    for leaf in _deepest(error) if hasattr(error, "children") else []:
        at = f"line {leaf.start[0]}, column {leaf.start[1]}: " if leaf.start else ""
        found.append(at + _sentence(leaf.message, uri))
    sentences = list(dict.fromkeys(found)) or [_sentence(str(error), uri)]
    more = len(sentences) - MOST
    return " ".join(sentences[:MOST]) + (f" (And {more} more.)" if more > 0 else "")


def _deepest(error: Any) -> list[Any]:
    """The messages at the tips of the tree; of alternatives, those that were meant if that can be told."""
    if not error.children:
        return [error] if error.message else []
    branches = [_deepest(child) for child in error.children]
    if all(child.message.startswith("tried ") for child in error.children):
        meant = [branch for branch in branches if not any(OTHER_KIND in leaf.message for leaf in branch)]
        branches = meant or branches
    return [leaf for branch in branches for leaf in branch]


def _sentence(message: str, uri: str) -> str:
    text = " ".join(message.split())
    text = re.sub(r"\S*package\.cwl:(\d+):(\d+):", r"line \1, column \2:", text)
    text = re.sub(r"\(\d+\) \(\S+\) ", "", text)
    text = text.replace(uri + "#", "#").replace(uri, "the document").replace("file:///", "")
    text = re.sub(r", tried (\S+ ?)+$", "", text)
    text = re.sub(r"Type property .* not a valid Avro schema: ", "a type is not valid: ", text)
    text = re.sub(r"\bpackage\.cwl\.?", "", text)
    text = re.sub(r"enum_[0-9a-f]{40}", "name here", text)
    text = text.replace("CommentedSeq", "list").replace("CommentedMap", "mapping")
    match = re.fullmatch(r"invalid field '?(.+?)'?, expected one of: (.*)", text)
    if match:
        names = re.findall(r"'([^']+)'", match[2])
        text = f'there is no field "{match[1]}" here.{meant(match[1], names)}'
    text = re.sub(r"contains undefined reference to '(.*)'", r"names '\1', which is not in the document", text)
    text = re.sub(r"references unknown identifier '(.*)'", r"names '\1', which is not in the document", text)
    text = text if text.startswith("line ") else text[:1].upper() + text[1:]
    text = text if len(text) <= LONGEST else text[:LONGEST] + "..."
    return text if text.endswith((".", "?")) else text + "."
