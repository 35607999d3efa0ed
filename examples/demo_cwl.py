"""The demo of application packages: a CWL workflow is deployed, executed on two satellite images, and undeployed.

Everything goes through the HTTP API, as tenant acme. The masks stay in demo-output/, nothing else does.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.merge import merge
from rasterio.warp import transform_geom
from rasterio.windows import Window

sys.path.insert(0, str(Path(__file__).parent))
from backstage import Failed, Geomill, expect, running, serving  # noqa: E402
from demo import BAR, SCENE, TERMINAL, Json, picture, say, statuses, submit, told  # noqa: E402

EXAMPLE = Path(__file__).parent / "water-bodies"
PROCESS = "water-bodies"
TENANT = "acme"
LONLAT = CRS.from_string("OGC:CRS84")
MARGIN = 0.05  # of the scene, on each side of the area of interest


def main() -> int:
    """Show it all. 0 when everything was as it should be."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    output = Path("demo-output").resolve()
    try:
        with tempfile.TemporaryDirectory(prefix="geomill-demo-") as folder, serving(Path(folder)) as images:
            items = [f"{images}/{item}/item.json" for item in halves(Path(folder))]
            tools = "--images", str(EXAMPLE / "images.toml")
            with running(images.removeprefix("http://"), *tools) as geomill:
                acme = geomill.of_tenant(TENANT)
                print(f"\nGeomill listens on {geomill.url}; to tenant {TENANT} it is {acme.url}")
                deploy(acme)
                job = execute(acme, items)
                show_results(acme, job, output)
                undeploy(acme)
    except Failed as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    print("\nThe server is stopped and its temporary folder is gone. Yours to keep:", output)
    return 0


def deploy(geomill: Geomill) -> None:
    """Send the workflow as it is, and read the description that was made from it."""
    say("1", "A CWL workflow is deployed, ...")
    package = (EXAMPLE / "water-bodies.cwl").read_bytes()
    path = f"/processes?w={PROCESS}"
    answer = geomill.call("POST", path, package, **{"Content-Type": "application/cwl+yaml"})
    expect(answer.status == 201, f"the deployment answered {answer}")
    location = answer.headers["Location"]
    expect(location == f"{geomill.url}processes/{PROCESS}", f"Location is {location}")
    told("POST", path, f"201, process {PROCESS}")
    process = geomill.get(location).json()
    expect(process["mutable"] is True, "a deployed process is not mutable")
    told("GET", f"/processes/{PROCESS}", f"{process['title']} {process['version']}: {', '.join(process['inputs'])}")


def execute(geomill: Geomill, items: list[str]) -> str:
    """Execute it on the images and follow its steps; the job's id."""
    say("2", "... executed on two satellite images, ...")
    area = ",".join(f"{number:.4f}" for number in inner(json.loads((SCENE / "item.json").read_text())["bbox"]))
    told("", "", f"the west and the east of a Sentinel-2 scene; {area}")
    job = submit(geomill, PROCESS, {"stac_items": items, "aoi": area})
    status = follow(geomill, job)
    expect(status["status"] == "successful", f"the job {status['status']}: {status.get('message')}")
    return job


def follow(geomill: Geomill, job: str) -> Json:
    """Show each step when it has ended and, on a terminal, how far the job is; its last status."""
    shown: set[str] = set()
    for status in statuses(geomill, job):
        if TERMINAL:
            print("\r\x1b[K", end="")
        for step in geomill.get(f"/jobs/{job}/events").json()["steps"]:
            if step["id"] not in shown and step["status"] not in ("accepted", "running"):
                shown.add(step["id"])
                print(f"   {described(step)}", flush=True)
        if status["status"] not in ("accepted", "running"):
            break
        if TERMINAL:
            percent = status.get("progress") or 0
            full = round(BAR * percent / 100)
            line = f"   [{'#' * full}{'-' * (BAR - full)}] {percent:3d} %  {status.get('message') or ''}"
            print(line[: shutil.get_terminal_size().columns - 1], end="", flush=True)
    expect(bool(shown), "the job has no steps")
    return status


def described(step: Json) -> str:
    """A step that has ended, in a line."""
    memory = f"{step['peakMemory'] / 1e6:4.0f} MB" if step.get("peakMemory") else ""
    return f"{step['id']:<28}  {step['status']:<10}  {step['seconds']:6.2f} s  {memory}".rstrip()


def show_results(geomill: Geomill, job: str, output: Path) -> None:
    """Print what the catalogue has, keep its masks, show them as one picture."""
    say("3", "... and has results: a STAC item for each image, a log for each step.")
    features = geomill.get(f"/jobs/{job}/results").json()["stac_catalog"]["value"]["features"]
    told("GET", f"/jobs/{job[:8]}.../results", f"{len(features)} features")
    expect([each["id"] for each in features] == ["virginia-west", "virginia-east"], "the features are in another order")
    output.mkdir(exist_ok=True)
    (output / ".gitignore").write_text("*\n")
    masks = [save(geomill, job, feature, output) for feature in features]
    whole = output / f"{PROCESS}.tif"
    merge(masks, dst_path=whole)
    print()
    for line in picture(whole):
        print(f"   {line}")
    if not TERMINAL:
        print("   ~ is water, . is land")
    links = geomill.get(f"/jobs/{job}").json()["links"]
    logs = [link["href"] for link in links if link.get("title", "").startswith("Tool log ")]
    expect(len(logs) > 1, "the job has no logs")
    expect(bool(geomill.get(logs[0]).body), f"{logs[0]} is empty")
    names = sorted(log.rsplit("/", 1)[1] for log in logs)
    print(f"\n   {len(names):>2} logs  ", end="")
    print("\n            ".join("  ".join(names[start : start + 3]) for start in range(0, len(names), 3)))


def save(geomill: Geomill, job: str, feature: Json, output: Path) -> Path:
    """Fetch the mask of a feature into the folder, count its water."""
    href = feature["assets"]["data"]["href"]
    path = output / f"{feature['id']}.tif"
    path.write_bytes(geomill.get(href).body)
    with rasterio.open(path) as dataset:
        mask = dataset.read(1)
    water = int((mask == 1).sum())
    expect(0 < water < mask.size, f"{water} of {mask.size} pixels of {feature['id']} are water")
    told(
        "GET", href.replace(geomill.url, "/").replace(job, f"{job[:8]}..."), f"{water} of {mask.size} pixels are water"
    )
    return path


def undeploy(geomill: Geomill) -> None:
    """Take the process away, and see that it is gone."""
    say("4", "A process that is not wanted any more is undeployed.")
    path = f"/processes/{PROCESS}"
    answer = geomill.call("DELETE", path)
    expect(answer.status == 204, f"DELETE answered {answer}")
    expect(geomill.call("GET", path).status == 404, "the process is still there")
    told("DELETE", path, "204")


def halves(folder: Path) -> list[str]:
    """Cut the scene in two, each with a STAC item in a folder of its own: the names of the folders."""
    scene = json.loads((SCENE / "item.json").read_text())
    names = ["virginia-west", "virginia-east"]
    for number, name in enumerate(names):
        place = folder / name
        place.mkdir()
        assets: Json = {}
        for band, asset in scene["assets"].items():
            with rasterio.open(SCENE / asset["href"]) as dataset:
                width, (x, b, left, d, y, top) = dataset.width // 2, dataset.transform[:6]
                start, crs = number * width, dataset.crs
                grid = {"crs": crs, "transform": Affine(x, b, left + start * x, d, y, top), "nodata": dataset.nodata}
                size = {"width": width, "height": dataset.height, "count": 1, "dtype": dataset.dtypes[0]}
                with rasterio.open(place / f"{band}.tif", "w", driver="COG", compress="deflate", **grid, **size) as cut:
                    cut.write(dataset.read(1, window=Window(start, 0, width, dataset.height)), 1)
                    west, south, east, north = cut.bounds
            kept = {key: asset[key] for key in ("type", "roles", "bands", "eo:bands") if key in asset}
            assets[band] = {"href": f"./{band}.tif", **kept}
        item = {key: scene[key] for key in ("type", "stac_version")} | {"id": name, "assets": assets, "links": []}
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        geometry = transform_geom(crs, LONLAT, {"type": "Polygon", "coordinates": [ring]})
        longitudes, latitudes = zip(*geometry["coordinates"][0], strict=True)
        item |= {
            "geometry": geometry,
            "bbox": [min(longitudes), min(latitudes), max(longitudes), max(latitudes)],
            "properties": {"datetime": scene["properties"]["datetime"]},
        }
        (place / "item.json").write_text(json.dumps(item))
    return names


def inner(box: list[float]) -> list[float]:
    """A box without its margins."""
    west, south, east, north = box
    x, y = MARGIN * (east - west), MARGIN * (north - south)
    return [west + x, south + y, east - x, north - y]


if __name__ == "__main__":
    sys.exit(main())
