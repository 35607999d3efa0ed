"""What a package needs in order to run, and what its author could do better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from .document import process as process_of
from .metadata import facts, version
from .types import short

if TYPE_CHECKING:
    from cwltool.process import Process

Json = dict[str, Any]


@dataclass(frozen=True)
class Image:
    """A container image that a tool asks for. required: under requirements, not only under hints."""

    tool: str
    reference: str
    required: bool


@dataclass(frozen=True)
class Needs:
    """cores, ram (MiB): the most that one tool asks for, None where none says; steps: tools in all, at any depth."""

    images: tuple[Image, ...]
    without_image: tuple[str, ...]
    network: bool
    cores: float | None
    ram: int | None
    javascript: bool
    scatter: bool
    subworkflow: bool
    steps: int


def needs(tool: Process) -> Needs:
    """What a process needs, with everything that it runs."""
    every = list(_every(tool))
    leaves = [(name, each) for name, each in every if not hasattr(each, "steps")]
    tools = [(name, each) for name, each in leaves if each.tool["class"] == "CommandLineTool"]
    images = [(name, *requirement(each, "DockerRequirement")) for name, each in tools]
    resources = [requirement(each, "ResourceRequirement")[0] for _, each in tools]
    cores = _most(resources, "coresMin", "coresMax")
    ram = _most(resources, "ramMin", "ramMax")
    return Needs(
        images=tuple(Image(name, reference(found), required) for name, found, required in images if found),
        without_image=tuple(name for name, found, _ in images if not found),
        network=any(_network(each) for _, each in tools),
        cores=cores,
        ram=None if ram is None else int(ram),
        javascript=any(requirement(each, "InlineJavascriptRequirement")[0] for _, each in every),
        scatter=any("scatter" in step.tool for _, each in every for step in getattr(each, "steps", ())),
        subworkflow=any(hasattr(each, "steps") for _, each in every[1:]),
        steps=len(leaves),
    )


def warnings(tool: Process, document: Mapping[str, Any]) -> list[str]:
    """Sentences for the author. Source: OGC 20-089r1 (EO application packages), requirements 7 to 19."""
    process, needed = process_of(document, str(tool.tool["id"]).rpartition("#")[2]), needs(tool)
    told = []
    if not process.get("label"):
        told.append("The process has no label: clients have no title to show.")
    if not process.get("doc"):
        told.append("The process has no doc: clients have no description to show.")
    for section in ("inputs", "outputs"):
        for missing in ("label", "doc"):
            names = [short(each["id"]) for each in tool.tool[section] if not each.get(missing)]
            if names:
                told.append(f"No {missing} is given for the {section} {', '.join(names)}.")
    if version(facts(document, process)) is None:
        told.append("The package does not say its version: give it as s:softwareVersion.")
    if needed.without_image:
        told.append(f"No container image (DockerRequirement) is named for {', '.join(needed.without_image)}.")
    moving = sorted({each.reference for each in needed.images if _moves(each.reference)})
    if moving:
        told.append(f"The images {', '.join(moving)} may change: name a version or a digest.")
    if needed.network:
        told.append("The package wants access to the network (NetworkAccess) while it runs.")
    if not tool.tool["outputs"]:
        told.append("The process has no outputs: its results will be empty.")
    return told


def requirement(tool: Process, name: str) -> tuple[Json, bool]:
    """A requirement or hint of a process or of what it is a part of, {} if there is none; whether it is required."""
    found, required = tool.get_requirement(name)
    return cast("Json", found or {}), bool(required)


def reference(requirement: Mapping[str, Any]) -> str:
    """The image that a DockerRequirement names; "" if it only says how to build one."""
    return str(requirement.get("dockerPull") or requirement.get("dockerImageId") or "")


def _every(tool: Process, name: str = "") -> Iterator[tuple[str, Process]]:
    """A process and all that it runs, each with a name for messages: the ids of steps."""
    yield name or short(str(tool.tool["id"])), tool
    for step in sorted(getattr(tool, "steps", ()), key=lambda each: str(each.id)):  # cwltool shuffles them
        yield from _every(step.embedded_tool, f"{name}/{short(step.id)}".lstrip("/"))


def _most(resources: list[Json], *names: str) -> float | None:
    amounts = [each[name] for each in resources for name in names if isinstance(each.get(name), int | float)]
    return max(amounts, default=None)


def _network(tool: Process) -> bool:
    """An expression may come out true."""
    return bool(requirement(tool, "NetworkAccess")[0].get("networkAccess"))


def _moves(image: str) -> bool:
    name, at, _ = image.partition("@")
    return not at and name.rpartition("/")[2].partition(":")[2] in ("", "latest")
