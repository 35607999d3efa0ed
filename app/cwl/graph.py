"""The steps of a workflow and what flows between them, as its page draws them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .types import short, written_at

Json = dict[str, Any]


def graph(tool: Any) -> Json | None:
    """The workflow that cwltool has loaded; None for anything else.

    Gives {"steps": [{"name", "runs", "scatter"}], "links": [{"from", "to", "value"}]}; a link begins at an input
    and ends at an output where there is no step: their names are after "in:" and "out:".
    """
    if tool.tool.get("class") != "Workflow":
        return None
    inside = f"{str(tool.tool['id']).rpartition('#')[2]}/" if "#" in str(tool.tool["id"]) else ""
    links = []
    steps = sorted(tool.steps, key=lambda step: written_at(step.tool))
    for step in steps:
        name = short(step.tool["id"])
        for port in step.tool["inputs"]:
            links += [_link(source, name, inside) for source in _sources(port, "source")]
    for output in sorted(tool.tool["outputs"], key=written_at):
        links += [_link(source, f"out:{short(output['id'])}", inside) for source in _sources(output, "outputSource")]
    return {"steps": [_step(step) for step in steps], "links": links}


def _step(step: Any) -> Json:
    kind = str(step.embedded_tool.tool.get("class", ""))
    return {"name": short(step.tool["id"]), "runs": kind, "scatter": bool(step.tool.get("scatter"))}


def _sources(port: Mapping[str, Any], member: str) -> list[str]:
    given = port.get(member) or []
    return [given] if isinstance(given, str) else list(given)


def _link(source: str, to: str, inside: str) -> Json:
    """A link from a source, which is `step/output` or an input, below the workflow's own name."""
    begin, _, value = source.rpartition("#")[2].removeprefix(inside).rpartition("/")
    return {"from": begin or f"in:{value}", "to": to, "value": value}
