"""Where a tool of a deployed package runs, and the command that runs it there.

Nothing is moved: the tool finds its job's work/ where it is, to read, and its own two folders in it, to write.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geomill.app.config import Settings
from geomill.app.egress.environment import certificates, through, trusting
from geomill.app.egress.way_out import WayOut
from geomill.app.sandbox import bubblewrap, engines
from geomill.app.sandbox.images import Image, ImageMap
from geomill.app.sandbox.limits import limited
from geomill.processes.packages import threads

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ON_THE_HOST = "its commands are looked for on this host"
_NO_NETWORK = (
    "a tool that asks for a network cannot be kept apart from that of this host: allow unprivileged user and network"
    ' namespaces, or set isolation = "none" if you trust everybody who may deploy'
)
_PYTHON = re.compile(r"python(3(\.\d+)?)?")


class NoIsolation(Exception):
    """Nothing on this host keeps a tool apart; one sentence that says why and what the operator can do."""


@dataclass(frozen=True)
class Level:
    """What keeps a tool apart: bubblewrap or none; a sentence on it, and what a deployer should know."""

    name: str
    sentence: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tool:
    """One run of a tool. cwd: where it writes its outputs; tmp: its TMPDIR; both below work, its job's folder.

    network: it declares NetworkAccess; image: of its DockerRequirement; memory: bytes a process may use, 0: no limit;
    cores: processors that it was given.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: Path
    tmp: Path
    work: Path
    network: bool = False
    image: str | None = None
    memory: int = 0
    cores: int = 1


class Sandbox:
    """What keeps tools apart on this host, as the settings want it."""

    def __init__(self, settings: Settings, way_out: WayOut | None = None) -> None:
        """Read the image map. way_out: of the job whose tools are going to run. Raises SettingsError."""
        self._settings, self._way_out = settings, way_out
        self._images = ImageMap.load(settings.images)
        self._folder = settings.home / "images"

    def level(self, image: str | None, network: bool) -> Level:
        """What a tool of this image would run in; asks engines for the image. Raises NoIsolation."""
        if self._settings.isolation == "none":
            sentence = "Tools run like processes of the server: isolation is switched off."
            mapped = not image or self._images.find(image)
            return Level("none", sentence, () if mapped else (f"image {image} is not mapped: {_ON_THE_HOST}",))
        if why := bubblewrap.closed():
            raise NoIsolation(f"tools cannot be kept apart on this host: {why}; {bubblewrap.REMEDY}")
        known = not image or self._image(image) or engines.stored(image) or self._settings.pull_images
        missing = f"image {image} is neither mapped nor on this host: {_ON_THE_HOST}"
        return Level("bubblewrap", bubblewrap.sentence(network), () if known else (missing,))

    def prepare(self, image: str) -> None:
        """Make an image that an engine has, or may pull, ready to run; takes its time, once. Raises NoIsolation."""
        if self._settings.isolation == "none" or self._images.find(image):
            return
        try:
            found = engines.stored(image) or (engines.pull(image) if self._settings.pull_images else None)
            if found:
                engines.unpack(self._folder, image, found)
        except (engines.EngineError, OSError) as error:
            raise NoIsolation(f"image {image} cannot be made ready: {error}") from error

    def command(self, tool: Tool) -> tuple[list[str], dict[str, str]]:
        """What to execute for a tool, and the environment to execute it in. Raises NoIsolation."""
        image = (self._image(tool.image) if tool.image else None) or Image()
        environment = _environment(tool, image, self._network(tool))
        argv = limited(_argv(tool, image), self._settings.max_processes, self._settings.max_output, tool.memory)
        if self._settings.isolation == "none":
            return argv, environment
        if why := bubblewrap.closed():
            raise NoIsolation(f"tools cannot be kept apart on this host: {why}; {bubblewrap.REMEDY}")
        if tool.network and not (self._way_out and self._way_out.apart):
            raise NoIsolation(_NO_NETWORK)
        hidden = (self._settings.home, self._settings.runtime_dir, self._settings.runtime_dir.resolve())
        folders = (tool.cwd, tool.tmp)
        return bubblewrap.command(argv, environment, tool.work, folders, image, hidden, tool.network), {}

    def _network(self, tool: Tool) -> Mapping[str, str]:
        """The variables that lead a tool to the network that it asks for."""
        if not tool.network or self._way_out is None:
            return {}
        trusted = certificates()
        inside = bubblewrap.CERTIFICATES if trusted and self._settings.isolation != "none" else trusted
        return through(self._way_out.proxy) | trusting(inside)

    def _image(self, reference: str) -> Image | None:
        """What stands for an image: as the operator says, else as it was prepared."""
        return self._images.find(reference) or engines.unpacked(self._folder, reference)


def _argv(tool: Tool, image: Image) -> list[str]:
    command, *rest = tool.argv
    if image.python and _PYTHON.fullmatch(os.path.basename(command)):
        command = str(image.python)
    return [*image.prefix, command, *rest]


def _environment(tool: Tool, image: Image, network: Mapping[str, str]) -> dict[str, str]:
    """The tool's own, with what the image changes and what every program expects. network: what leads to the proxy."""
    environment = {"HOME": str(tool.cwd), "TMPDIR": str(tool.tmp), "USER": "nobody", "LOGNAME": "nobody",
                   **threads(tool.cores), **network, **image.environment, **tool.environment}  # fmt: skip
    first = [*image.path, *([image.python.parent] if image.python else [])]  # shells look for python there
    found = image.environment.get("PATH", PATH) if image.rootfs else environment.get("PATH", PATH)
    environment["PATH"] = os.pathsep.join([*map(str, first), found])
    if image.pythonpath:
        environment["PYTHONPATH"] = os.pathsep.join(map(str, image.pythonpath))
    return environment
