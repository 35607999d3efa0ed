"""The demo: a server is started, a satellite scene becomes a water mask, a running job is dismissed.

Everything goes through the HTTP API. The outputs stay in demo-output/, nothing else does.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import Resampling

sys.path.insert(0, str(Path(__file__).parent))
from backstage import Failed, Geomill, expect, running, serving  # noqa: E402

SCENE = Path(__file__).parent / "virginia"
OUTPUTS = {"mask": "mask.tif", "polygons": "polygons.geojson", "preview": "preview.png"}
PATIENCE = 120.0  # seconds a job may take
LOOK_EVERY = 0.1  # seconds
BAR, WIDTH, HEIGHT = 30, 56, 24  # characters
NOT_VALID = 255

Json = dict[str, Any]
TERMINAL = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def main() -> int:
    """Show it all. 0 when everything was as it should be."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    output = Path("demo-output").resolve()
    try:
        with serving(SCENE) as scene, running(allow=scene.removeprefix("http://")) as geomill:
            print(f"\nGeomill listens on {geomill.url} and keeps its jobs in a temporary folder.")
            map_water(geomill, f"{scene}/item.json", output)
            dismiss(geomill)
    except Failed as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    print("\nThe server is stopped and its temporary folder is gone. Yours to keep:", output)
    return 0


def map_water(geomill: Geomill, item: str, output: Path) -> None:
    """Execute the process asynchronously over an area of the scene, follow the job, save its results."""
    say("1", "A process is described, ...")
    process = geomill.get("/processes/water-mask").json()
    expect("async-execute" in process["jobControlOptions"], "water-mask cannot be executed asynchronously")
    expect({"item", "aoi"} <= set(process["inputs"]), "water-mask has other inputs")
    counts = f"{len(process['inputs'])} inputs, {len(process['outputs'])} outputs"
    told("GET", "/processes/water-mask", f"{process['title']}: {counts}")

    say("2", "... executed on a satellite scene, in an area drawn at random, ...")
    scene = json.loads((SCENE / "item.json").read_text())
    area = draw(scene)
    told("", "", f"{scene['properties']['title']}, Sentinel-2, {scene['properties']['datetime'][:10]}")
    told("", "", f"longitude {area[0]} to {area[2]}, latitude {area[1]} to {area[3]}")
    job = submit(geomill, "water-mask", {"item": {"href": item}, "aoi": {"bbox": area}})
    status = follow(geomill, job)
    expect(status["status"] == "successful", f"the job {status['status']}: {status.get('message')}")

    say("3", "... and has results.")
    statistics = geomill.get(f"/jobs/{job}/results/statistics").json()
    told("GET", f"/jobs/{job[:8]}.../results/statistics", "and /mask, /polygons, /preview")
    save(geomill, job, output)
    check(statistics, output)
    print()
    for line in picture(output / OUTPUTS["mask"]):
        print(f"   {line}")
    valid, water = statistics["valid_pixels"], statistics["water_pixels"]
    if not TERMINAL:
        print("   ~ is water, . is land")
    print(f"\n   threshold  {statistics['threshold']:.4f}: water is where (green - nir) / (green + nir) is above it")
    print(f"   water      {water} of {valid} pixels, a share of {statistics['share']:.1%}")
    for name, file in OUTPUTS.items():
        print(f"   {name:<9}  {output / file}")


def dismiss(geomill: Geomill) -> None:
    """Dismiss a job while it runs, and see that nothing of it is left."""
    say("4", "A job that is not wanted any more is dismissed.")
    job = submit(geomill, "echo", {"echoInput": "too slow", "pause": 600})
    for status in statuses(geomill, job):
        expect(status["status"] in ("accepted", "running"), f"the job is {status['status']} already")
        if status["status"] == "running" and geomill.processes_at_work():
            break
    told("", "", f"{status['status']}, {len(geomill.processes_at_work())} process at work")
    begun = time.monotonic()
    answer = geomill.call("DELETE", f"/jobs/{job}")
    seconds, left = time.monotonic() - begun, geomill.processes_at_work()
    expect(answer.status == 200, f"DELETE answered {answer}")
    expect(not left, f"processes of the dismissed job are left: {left}")
    shown = geomill.get(f"/jobs/{job}").json()["status"]
    expect(shown == "dismissed", f"the job is {shown} instead of dismissed")
    told("DELETE", f"/jobs/{job[:8]}...", f"{shown} after {seconds:.2f} s, no process is left")


def draw(scene: Json) -> list[float]:
    """A random box in the scene: west, south, east, north in degrees. The scene is turned a little."""
    corners = scene["geometry"]["coordinates"][0][:4]
    (_, west, east, _), (_, south, north, _) = (sorted(corner[axis] for corner in corners) for axis in (0, 1))
    box: list[list[float]] = []
    for low, high in ((west, east), (south, north)):
        length = (high - low) * random.uniform(0.4, 0.8)
        start = random.uniform(low, high - length)
        box.append([round(start, 4), round(start + length, 4)])
    return [box[0][0], box[1][0], box[0][1], box[1][1]]


def submit(geomill: Geomill, process: str, inputs: Json) -> str:
    """Execute a process asynchronously; the job's id."""
    path = f"/processes/{process}/execution"
    answer = geomill.call("POST", path, {"inputs": inputs}, Prefer="respond-async")
    expect(answer.status == 201, f"the execution answered {answer}")
    job = str(answer.json()["jobID"])
    expect(answer.headers["Location"] == f"{geomill.url}jobs/{job}", "Location does not name the job")
    told("POST", path, f"201, job {job}")
    return job


def statuses(geomill: Geomill, job: str) -> Iterator[Json]:
    """The status of a job, again and again."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        status: Json = geomill.get(f"/jobs/{job}").json()
        yield status
        time.sleep(LOOK_EVERY)
    raise Failed(f"the job is still {status['status']} after {PATIENCE:g} s")


def follow(geomill: Geomill, job: str) -> Json:
    """Show how a job goes until it ends: a bar on a terminal, elsewhere a line for each change."""
    before = ""
    for status in statuses(geomill, job):
        percent = status.get("progress") or 0
        full = round(BAR * percent / 100)
        bar = f"[{'#' * full}{'-' * (BAR - full)}] {percent:3d} %" if TERMINAL else f"{percent:3d} %"
        line = f"   {status['status']:<10} {bar}  {status.get('message') or ''}".rstrip()
        if line != before and TERMINAL:
            print(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)
        elif line != before:
            print(line, flush=True)
        before = line
        if status["status"] not in ("accepted", "running"):
            break
    if TERMINAL:
        print()
    return status


def save(geomill: Geomill, job: str, output: Path) -> None:
    """Save the outputs that are files into the folder, which git leaves alone."""
    output.mkdir(exist_ok=True)
    (output / ".gitignore").write_text("*\n")
    for name, file in OUTPUTS.items():
        (output / file).write_bytes(geomill.get(f"/jobs/{job}/results/{name}").body)


def check(statistics: Json, output: Path) -> None:
    """Compare what the statistics say with the files. Raises Failed."""
    with rasterio.open(output / OUTPUTS["mask"]) as dataset:
        mask = dataset.read(1)
    valid, water = int((mask != NOT_VALID).sum()), int((mask == 1).sum())
    counted = statistics["valid_pixels"], statistics["water_pixels"]
    expect(counted == (valid, water), f"the statistics count {counted} pixels, the mask has {(valid, water)}")
    expect(0 < water < valid, f"{water} of {valid} pixels are water")
    expect(abs(statistics["share"] - water / valid) < 1e-9, f"the share is {statistics['share']}")
    expect(-1 < statistics["threshold"] < 1, f"the threshold is {statistics['threshold']}")
    polygons = json.loads((output / OUTPUTS["polygons"]).read_text())
    expect(len(polygons["features"]) == statistics["polygons"] > 0, "the polygons are not those of the statistics")
    expect((output / OUTPUTS["preview"]).read_bytes()[:4] == b"\x89PNG", "the preview is no PNG")


def picture(mask: Path) -> Iterator[str]:
    """The mask in characters, a line at a time: a character is twice as high as wide."""
    with rasterio.open(mask) as dataset:
        scale = min(WIDTH / dataset.width, 2 * HEIGHT / dataset.height)
        size = round(dataset.height * scale / 2), round(dataset.width * scale)
        small = dataset.read(1, out_shape=size, resampling=Resampling.mode)
    signs = {0: "\x1b[48;5;65m \x1b[0m", 1: "\x1b[48;5;25m \x1b[0m"} if TERMINAL else {0: ".", 1: "~"}
    for row in np.asarray(small):
        yield "".join(signs.get(int(value), " ") for value in row)


def say(number: str, sentence: str) -> None:
    """A heading."""
    print(f"\n{number}. {sentence}", flush=True)


def told(method: str, path: str, sentence: str) -> None:
    """What was asked, and what came back."""
    print("   " + "  ".join(part for part in (f"{method} {path}".strip(), sentence) if part), flush=True)


if __name__ == "__main__":
    sys.exit(main())
