"""The Prefer header. Sources: RFC 7240; OGC 18-062r2, 7.11.2.3 (execution mode)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Returns = Literal["minimal", "representation"]
Mode = Literal["sync", "async"]

# A preference ends at a comma. Clients also end it at a semicolon ("respond-async;return=representation"), where
# RFC 7240 would see a parameter; no preference known here has parameters, so both mean the same.
_PREFERENCE = re.compile(r'((?:[^,;"]++|"(?:[^"\\]++|\\.)*+(?:"|$))+)')  # possessive: linear on unclosed quotes, too
_SECONDS = re.compile(r"\d{1,10}", re.ASCII)


@dataclass(frozen=True)
class Preference:
    """What a client would like. wait: seconds it is willing to wait; returns: how much an answer should hold."""

    respond_async: bool = False
    wait: float | None = None
    returns: Returns | None = None


def parse(header: str | None) -> Preference:
    """The preferences that matter here; unknown ones, junk and repetitions are passed over, never an error."""
    stated: dict[str, str] = {}
    for name, value, _ in _preferences(header):
        stated.setdefault(name, value)
    wait, returns = stated.get("wait", ""), stated.get("return", "").lower()
    return Preference(
        respond_async="respond-async" in stated,
        wait=float(wait) if _SECONDS.fullmatch(wait) else None,
        returns="minimal" if returns == "minimal" else "representation" if returns == "representation" else None,
    )


def mode(preference: Preference, job_control_options: Collection[str]) -> Mode:
    """Whether a request is tried synchronously or becomes a job at once.

    `respond-async, wait=5` is "sync": wait that long, then answer 201 if "async-execute" is offered.
    Source: /req/core/process-execute-default-execution-mode and -auto-execution-mode.
    """
    if "async-execute" not in job_control_options:
        return "sync"
    if "sync-execute" not in job_control_options:
        return "async"
    return "async" if preference.respond_async and not preference.wait else "sync"


def applied(header: str | None, *honoured: str) -> str | None:
    """The value of Preference-Applied: the header as sent when all of it was honoured, else the part that was.

    honoured: names of preferences, such as "respond-async". None: nothing was, send no header.
    """
    sent = list(_preferences(header))
    kept = [text for name, _, text in sent if name in honoured]
    if not kept:
        return None
    return (header or "").strip() if len(kept) == len(sent) else ", ".join(kept)


def _preferences(header: str | None) -> list[tuple[str, str, str]]:
    """Each preference in order: its name in lower case, its value without quotes, and the text it was sent as."""
    found = []
    for text in _PREFERENCE.findall(header or ""):
        name, _, value = text.strip().partition("=")
        if name.strip():
            found.append((name.strip().lower(), value.strip().strip('"').strip(), text.strip()))
    return found
