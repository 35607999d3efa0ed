"""Where the tools of deployed packages run: somebody else's code, which sees its job's files and nothing else of ours.

images.py says what stands for a container image on this host, sandbox.py makes the command that runs a tool in it.
Standard library only: web workers ask what a package would run in.
"""

from geomill.app.sandbox.images import Image, ImageMap
from geomill.app.sandbox.sandbox import Level, NoIsolation, Sandbox, Tool

__all__ = ["Image", "ImageMap", "Level", "NoIsolation", "Sandbox", "Tool"]
