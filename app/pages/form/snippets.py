"""A request as people send it from elsewhere: JSON, curl, Python. For any value, and no longer than it has to be."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TOKEN = "GEOMILL_TOKEN"  # noqa: S105  the name of a variable, which the command line reads, too
WIDTH = 78
LONGEST = 200_000  # characters
# what no page can hold, but for the line feed: control characters, and what is no character
UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_IN_PYTHON = {"true": "True", "false": "False", "null": "None"}


@dataclass(frozen=True)
class Snippets:
    """One request. address: of the execution; prefer: a Prefer header; token: the server wants to know who asks."""

    address: str
    request: Mapping[str, Any]
    prefer: str | None = None
    token: bool = False

    @property
    def json(self) -> str:
        """The body."""
        return laid_out(self.request)

    @property
    def curl(self) -> str:
        """For a shell. A quoted here-document takes any text, of any length; no line of JSON is its end."""
        lines = [f"curl -X POST {shlex.quote(self.address)}", "-H 'Content-Type: application/json'"]
        if self.prefer:
            lines.append(f"-H {shlex.quote(f'Prefer: {self.prefer}')}")
        if self.token:
            lines.append(f'-H "Authorization: Bearer ${TOKEN}"')
        command = " \\\n  ".join([*lines, "--data-binary @- <<'END'"])
        return f"{command}\n{self.json}\nEND"

    @property
    def python(self) -> str:
        """For Python with the library requests."""
        headers = []
        if self.prefer:
            headers.append(f'"Prefer": {coded(self.prefer)}')
        if self.token:
            headers.append(f'"Authorization": "Bearer " + os.environ["{TOKEN}"]')
        sent = [f"    {coded(self.address)},", "    json=request,"]
        if headers:
            sent.append(f"    headers={{{', '.join(headers)}}},")
        value = in_python(dict(self.request))
        lines = ["import os\n"] if self.token else []
        lines += ["import requests\n", f"request = {value}\n", "response = requests.post(", *sent, ")"]
        told = 'response.headers["Location"]' if self.prefer else "response.text"
        return "\n".join([*lines, "response.raise_for_status()", f"print({told})"])


def coded(value: Any) -> str:
    """A value in JSON on one line. A text of JSON is the same text in Python."""
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def laid_out(value: Any) -> str:
    """JSON as people write it: what is short stands on one line, as does what nobody reads to its end."""
    line = coded(value)
    return line if len(line) > LONGEST else _laid_out(value, {}, "")


def in_python(value: Any) -> str:
    """The same as an expression of Python."""
    line = repr(value)
    return line if len(line) > LONGEST else _laid_out(value, _IN_PYTHON, "")


def _laid_out(value: Any, words: Mapping[str, str], indent: str) -> str:
    """words: what the language calls true, false and null."""
    if not isinstance(value, dict | list) or not value:
        written = coded(value)
        return words.get(written, written)
    inner = f"{indent}  "
    if isinstance(value, dict):
        parts = [f"{coded(name)}: {_laid_out(each, words, inner)}" for name, each in value.items()]
    else:
        parts = [_laid_out(each, words, inner) for each in value]
    start, end = "{}" if isinstance(value, dict) else "[]"
    short = sum(map(len, parts)) + 2 * len(parts) + len(inner) < WIDTH
    if indent and short and not any("\n" in each for each in parts):
        return f"{start}{', '.join(parts)}{end}"
    return f"{start}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{end}"
