"""Pictures and values of what jobs wrote: who makes them has no rights, no network, little time, and ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rasterio
from affine import Affine
from rasterio.warp import transform
from support.mills import Mill, serving
from support.others import open_to_others
from support.waiting import until

from geomill.app.config import Settings
from geomill.jobstore import pictures

PROCESSES = Path(__file__).parents[1] / "pages" / "processes" / "maps.py"


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    root = tmp_path_factory.mktemp("views")
    (root / "processes").mkdir()
    (root / "processes" / "maps.py").write_bytes(PROCESSES.read_bytes())
    settings = Settings(home=root / "home", runtime_dir=root / "run", processes=(root / "processes",))
    user = {"job_user": "nobody"} if os.geteuid() == 0 else {}
    open_to_others(root / "processes")
    with serving(settings, shared=True, workers="1", grace="0.1", **user) as mill:
        yield mill


def finished(mill: Mill, process: str, **inputs: Any) -> str:
    job = mill.submit(process, **inputs)
    info = mill.ended(job)
    assert info.status.value == "successful", info
    return f"/jobs/{job}"


def picture(mill: Mill, path: str) -> dict[str, Any]:
    """What is said of a picture, as soon as it was drawn."""

    def ask() -> Any:
        answer = mill.call("GET", path)
        assert answer.status in (200, 202), answer.data
        return answer.json() if answer.status == 200 else None

    found: dict[str, Any] = until(ask, 60)
    return found


def test_a_picture_is_drawn_once_and_values_are_read(mill: Mill) -> None:
    job = finished(mill, "raster", grid="UTM")
    said = picture(mill, f"{job}/pictures/UTM.tif")
    assert "error" not in said, said
    assert said["size"] == [60, 40] and said["crs"] == "EPSG:32618" and said["bounds"]
    image = mill.call("GET", f"{job}/pictures/UTM.tif", Accept="image/avif,image/*,*/*;q=0.8")
    assert image.headers["Content-Type"] == "image/png" and image.data.startswith(b"\x89PNG")
    assert "sandbox" in image.headers["Content-Security-Policy"]
    job_id = job.rpartition("/")[2]
    place = pictures.image(mill.store, job_id, "UTM.tif")
    before = place.stat()
    assert picture(mill, f"{job}/pictures/UTM.tif") == said and place.stat() == before
    assert oct(before.st_mode)[-3:] == "600" and before.st_uid == os.geteuid()
    with rasterio.open(mill.store.output(job_id, "UTM.tif")) as dataset:
        for row, column in ((3, 7), (10, 20)):
            lon, lat = transform(dataset.crs, "EPSG:4326", *([each] for each in dataset.xy(row, column)))
            answer = mill.call("GET", f"{job}/values/UTM.tif?lon={lon[0]!r}&lat={lat[0]!r}").json()
            read = dataset.read(1)[row, column]
            told = "no data" if read == -1 else f"{read:g}"
            assert answer == {
                "row": row, "column": column, "values": [None if read == -1 else float(read)], "told": told
            }  # fmt: skip
    assert mill.call("GET", f"{job}/values/UTM.tif?lon=0&lat=0").json() == {}


def test_the_words_of_an_item_among_the_results_are_those_of_the_picture(mill: Mill) -> None:
    job = finished(mill, "classified")
    said = picture(mill, f"{job}/pictures/kinds.tif")
    assert [(each["value"], each["word"]) for each in said["legend"]["entries"]] == [(1, "forest"), (2, "meadow")]
    assert said["legend"]["nodata"]["word"] == "unseen" and said["names"][1] == "certainty"
    answer = mill.call("GET", f"{job}/values/kinds.tif?lon=11.005&lat=47.99").json()
    assert answer["told"] == "cover: forest (1), certainty: 0.125 %"
    other = picture(mill, f"{job}/pictures/kinds.tif?band=2")
    assert (other["band"], other["unit"], other["href"].partition("?")[2]) == (2, "%", "band=2&f=png")
    first, second = (mill.call("GET", f"{job}/pictures/kinds.tif?f=png{band}").data for band in ("", "&band=2"))
    assert first != second and second.startswith(b"\x89PNG")
    assert "no band 3" in picture(mill, f"{job}/pictures/kinds.tif?band=3")["error"]


def test_of_many_pictures_the_latest_are_kept(mill: Mill, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = finished(mill, "raster", grid="UTM").rpartition("/")[2]
    monkeypatch.setattr(pictures, "MOST", 3)
    for band in range(5):
        pictures.keep(mill.store, job_id, "UTM.tif", band, {"band": band}, b"picture")
    kept = [pictures.read(mill.store, job_id, "UTM.tif", band) for band in range(5)]
    assert kept == [None, None, {"band": 2}, {"band": 3}, {"band": 4}]
    assert len(list((mill.store.folder(job_id) / pictures.FOLDER).iterdir())) == 6


def test_what_is_no_geotiff_says_so_once_and_for_all(mill: Mill) -> None:
    job = finished(mill, "no-raster")
    said = picture(mill, f"{job}/pictures/damaged.tif")
    assert "damaged" in said["error"]
    assert mill.call("GET", f"{job}/pictures/damaged.tif?f=png").status == 404
    assert "damaged" in mill.call("GET", f"{job}/values/damaged.tif?lon=0&lat=0").json()["error"]


@pytest.mark.parametrize(
    "path, status",
    [("pictures/missing.tif", 404), ("pictures/../job.json", 404), ("values/UTM.tif", 400),
     ("values/UTM.tif?lon=nan&lat=0", 400), ("values/UTM.tif?lon=0&lat=91", 400),
     ("pictures/UTM.tif?band=-1", 400), ("pictures/UTM.tif?band=x", 400)],
)  # fmt: skip
def test_only_files_of_results_and_places_on_earth(mill: Mill, path: str, status: int) -> None:
    job = finished(mill, "raster", grid="UTM")
    assert mill.call("GET", f"{job}/{path}").status == status


def test_pictures_go_with_their_job(mill: Mill) -> None:
    job = finished(mill, "raster", grid="UTM")
    picture(mill, f"{job}/pictures/UTM.tif")
    job_id = job.rpartition("/")[2]
    folder = mill.store.folder(job_id)
    assert (folder / pictures.FOLDER).is_dir()
    mill.store.expire(job_id, "age")
    assert not (folder / pictures.FOLDER).exists()
    assert mill.call("GET", f"{job}/pictures/UTM.tif").status == 410
    assert mill.engine.view(job_id, "UTM.tif", None, 10)["error"]  # who asks nevertheless brings nothing back
    assert not (folder / pictures.FOLDER).exists()


def test_what_would_take_all_memory_is_no_picture(mill: Mill, tmp_path: Path) -> None:
    job = finished(mill, "raster", grid="UTM")
    place = mill.store.output(job.rpartition("/")[2], "UTM.tif")
    size = place.stat().st_size
    options = {"driver": "GTiff", "width": 32_768, "height": 32_768, "count": 1, "dtype": "float64"}
    tiles = {"tiled": True, "blockxsize": 32_768, "blockysize": 32_768, "compress": "deflate", "SPARSE_OK": True}
    bomb = tmp_path / "bomb.tif"
    with rasterio.open(bomb, "w", crs="EPSG:3857", transform=Affine(2, 0, 0, 0, -2, 0), **options, **tiles):
        pass  # one tile of 8.6 GB, and nothing of it on the disk
    place.write_bytes(bomb.read_bytes()[:size].ljust(size, b"\0"))
    assert "too large" in picture(mill, f"{job}/pictures/UTM.tif")["error"]
    assert "error" in mill.call("GET", f"{job}/values/UTM.tif?lon=0.1&lat=-0.1").json()
