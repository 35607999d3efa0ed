"""Echo: gives back what it gets. For trying out clients, and for the OGC's conformance tests."""

import time
from typing import Annotated, Any, TypedDict

from geomill.processes import About, BBox, File, Progress, process

STEP = 0.2  # seconds between two reports of progress

Text = Annotated[str, About("A text")]
Mixed = Annotated[str | dict[str, Any], About("A text or an object")]
Numbers = Annotated[list[int], About("Whole numbers", min_items=1, max_items=10)]
Box = Annotated[BBox, About("A bounding box")]
Image = Annotated[bytes, File("An image", "image/tiff")]


class Echo(TypedDict, total=False):
    """The inputs that were given."""

    echoInput: Text
    mixedInput: Mixed
    numbersInput: Numbers
    bboxInput: Box
    imageInput: Image


@process(keywords=["test"])
def echo(
    echoInput: Text,
    progress: Progress,
    pause: Annotated[int, About("Seconds to wait", minimum=0, maximum=3600)] = 0,
    mixedInput: Mixed | None = None,
    numbersInput: Numbers | None = None,
    bboxInput: Box | None = None,
    imageInput: Image | None = None,
) -> Echo:
    """Echo.

    Every output is the input of the same name; an input that was not given is no output.
    """
    wait(pause, progress)
    given = Echo(echoInput=echoInput)
    if mixedInput is not None:
        given["mixedInput"] = mixedInput
    if numbersInput is not None:
        given["numbersInput"] = numbersInput
    if bboxInput is not None:
        given["bboxInput"] = bboxInput
    if imageInput is not None:
        given["imageInput"] = imageInput
    return given


def wait(seconds: float, progress: Progress) -> None:
    """Let time pass, and report how much of it has."""
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < seconds:
        progress(100 * passed / seconds, f"waited {passed:.0f} of {seconds:g} s")
        time.sleep(min(STEP, seconds - passed))
