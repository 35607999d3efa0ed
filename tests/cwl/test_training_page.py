"""The commands of the training page on application packages, one after the other, as people copy them.

What is replaced in them: the host and port, and the addresses of the package and of the images, which are served here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.mills import Mill, serving
from support.variants import thorough
from support.waiting import until
from support.water import CHECKOUT, EXAMPLE

from geomill.app.config import Settings
from geomill.app.sandbox import bubblewrap

rasterio = pytest.importorskip("rasterio", reason="the extra geo is not installed")
requests = pytest.importorskip("requests", reason="the page's own snippets need it")
sys.path.insert(0, str(CHECKOUT / "examples"))
from backstage import serving as files  # noqa: E402
from support.scenes import scene  # noqa: E402

pytestmark = [
    pytest.mark.skipif(shutil.which("curl") is None, reason="the page's commands need curl"),
    pytest.mark.skipif(bool(bubblewrap.closed()), reason=f"needs a sandbox: {bubblewrap.closed()}"),
]

SITE = "http://localhost:8080/acme/ogc-api"
PACKAGE = "https://github.com/eoap/mastering-app-package/releases/download/1.0.0/app-water-bodies-cloud-native.1.0.0.cwl"
ITEMS = "https://earth-search.aws.element84.com/v0/collections/sentinel-s2-l2a-cogs/items"
SHORES = {"S2B_10TFK_20210713_0_L2A": 660000.0, "S2A_10TFK_20220524_0_L2A": 665000.0}
LOGS = {
    *("node_crop", "node_crop_2", "node_crop_3", "node_crop_4", "node_normalized_difference"),
    *("node_normalized_difference_2", "node_otsu", "node_otsu_2", "node_stac", "node_stage_out"),
}

DEPLOY_BY_REFERENCE = r"""
curl -X 'POST' \
    'http://localhost:8080/acme/ogc-api/processes?w=water_bodies' \
    -H 'accept: application/json' \
    -H 'Content-Type: application/ogcapppkg+json' \
    -d '{
    "executionUnit": {
        "href": "https://github.com/eoap/mastering-app-package/releases/download/1.0.0/app-water-bodies-cloud-native.1.0.0.cwl",
        "type": "application/cwl"
    }
    }'
"""  # noqa: E501
DEPLOY_THE_DOCUMENT = r"""
curl -X 'POST' \
    'http://localhost:8080/acme/ogc-api/processes/?w=water-bodies' \
    -H 'accept: application/json' \
    -H 'Content-Type: application/cwl+yaml' \
    --data-binary @app-water-bodies-cloud-native.1.0.0.cwl
"""
DESCRIBE = r"""
curl -X 'GET' \
    'http://localhost:8080/acme/ogc-api/processes/water-bodies' \
    -H 'accept: application/json'
"""
UNDEPLOY = r"""
curl -X 'DELETE' \
    'http://localhost:8080/acme/ogc-api/processes/water-bodies' \
    -H 'accept: */*'
"""
EXECUTE = r"""
curl -X 'POST' \
    'http://localhost:8080/acme/ogc-api/processes/water-bodies/execution' \
    -H 'accept: application/json' \
    -H 'Prefer: respond-async;return=representation' \
    -H 'Content-Type: application/json' \
    -d '{
    "inputs": {
        "stac_items": [
        "https://earth-search.aws.element84.com/v0/collections/sentinel-s2-l2a-cogs/items/S2B_10TFK_20210713_0_L2A",
        "https://earth-search.aws.element84.com/v0/collections/sentinel-s2-l2a-cogs/items/S2A_10TFK_20220524_0_L2A"
        ],
        "aoi": "-121.399,39.834,-120.74,40.472",
        "epsg": "EPSG:4326",
        "bands": [
        "green",
        "nir"
        ]
    }
    }'
"""
OF_JOB = r"""
curl -X '{method}' \
    'http://localhost:8080/acme/ogc-api/jobs/{job}{path}' \
    -H 'accept: application/json'
"""
IN_PYTHON = """
data = {
    "inputs": {
        "stac_items": [
            "https://earth-search.aws.element84.com/v0/collections/sentinel-s2-l2a-cogs/items/S2B_10TFK_20210713_0_L2A",
            "https://earth-search.aws.element84.com/v0/collections/sentinel-s2-l2a-cogs/items/S2A_10TFK_20220524_0_L2A"
        ],
        "aoi": "-121.399,39.834,-120.74,40.472",
        "epsg": "EPSG:4326",
        "bands": ["green", "nir"]
    }
}
headers = {
    "accept": "*/*",
    "Prefer": "respond-async;return=representation",
    "Content-Type": "application/json"
}
process_id = "water-bodies"
response = requests.post(f"{ogc_api_endpoint}/processes/{process_id}/execution", headers=headers, json=data)
job_url = response.headers["Location"]
status_response = requests.get(job_url, headers={"accept": "application/json"})
while status_response.json()["status"] not in ("successful", "failed"):
    status_response = requests.get(job_url, headers={"accept": "application/json"})
results_response = requests.get(f"{job_url}/results", headers={"accept": "application/json"})
deletion = requests.delete(job_url, headers={"accept": "application/json"})
"""


class Far:
    """The library that the page uses, asking a server that is as far away as most are: the page never waits."""

    post, delete = requests.post, requests.delete

    @staticmethod
    def get(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.2)
        return requests.get(*args, **kwargs)


@dataclass(frozen=True)
class Reply:
    """An answer that curl has printed."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass
class Page:
    """A reader of the page. prefix: where his server serves him; folder: where he stands."""

    mill: Mill
    prefix: str
    files: str
    folder: Path

    @property
    def url(self) -> str:
        return f"http://localhost:{self.mill.url.rpartition(':')[2]}{self.prefix}"

    def here(self, text: str) -> str:
        """A command of the page as it is typed here."""
        text = text.replace(SITE, self.url).replace(PACKAGE, f"{self.files}/app.cwl")
        for name in SHORES:
            text = text.replace(f"{ITEMS}/{name}", f"{self.files}/{name}/item.json")
        return text

    def curl(self, command: str) -> Reply:
        """Run a command of the page."""
        typed = self.here(command).strip().replace("curl ", "curl --silent --show-error --include ", 1)
        done = subprocess.run(["bash", "-c", typed], cwd=self.folder, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        status, _, headers = head.decode().partition("\r\n")
        return Reply(int(status.split()[1]), Parser().parsestr(headers), body)

    def of_job(self, job: str, path: str = "", method: str = "GET") -> Reply:
        return self.curl(OF_JOB.format(method=method, job=job, path=path))

    def ended(self, job: str) -> Any:
        """The status of a job that has ended, asked for until then."""
        return until(lambda: found if (found := self.of_job(job).json())["status"] in ENDS else None, 120, every=0.5)


ENDS = ("successful", "failed", "dismissed")


@dataclass(frozen=True)
class Walk:
    """What the commands of the page were answered, in their order."""

    page: Page
    replies: dict[str, Reply]
    status: Any

    @property
    def job(self) -> str:
        return str(self.status["jobID"])

    @property
    def value(self) -> Any:
        """The one output."""
        return self.replies["results"].json()["stac_catalog"]["value"]


@pytest.fixture(scope="module")
def images() -> Iterator[tuple[Path, str]]:
    """A folder that is served, with the two images that the page names, and its address."""
    with tempfile.TemporaryDirectory(prefix="geomill-page-", dir="/tmp") as name, files(Path(name)) as url:
        for number, (item, shore) in enumerate(SHORES.items()):
            scene(Path(name), item, shore, f"202{number + 1}-07-13T19:03:24Z")
        shutil.copy(Path(__file__).with_name("released.cwl"), Path(name) / "app.cwl")
        yield Path(name), url


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory, images: tuple[Path, str]) -> Iterator[Mill]:
    root = tmp_path_factory.mktemp("page")
    settings = Settings(home=root / "home", runtime_dir=root / "run")
    allowed = images[1].removeprefix("http://")
    with serving(settings, "--images", str(EXAMPLE / "images.toml"), shared=True, allow=allowed) as mill:
        yield mill


RELEASED, OURS = Path(__file__).with_name("released.cwl"), EXAMPLE / "water-bodies.cwl"


@pytest.fixture(
    scope="module", params=[thorough(("/acme/ogc-api", RELEASED)), ("/ogc-api", OURS)], ids=["acme", "default"]
)
def walk(
    request: pytest.FixtureRequest, mill: Mill, images: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Walk:
    """All commands, up to the deletion of the job."""
    prefix, package = request.param
    folder = tmp_path_factory.mktemp("reader")
    shutil.copy(package, folder / PACKAGE.rpartition("/")[2])
    shutil.copy(package, images[0] / "app.cwl")
    page = Page(mill, prefix, images[1], folder)
    replies = {"by reference": page.curl(DEPLOY_BY_REFERENCE), "again": page.curl(DEPLOY_BY_REFERENCE)}
    replies["undeployed"] = page.curl(UNDEPLOY)
    replies["deployed"] = page.curl(DEPLOY_THE_DOCUMENT)
    replies["described"] = page.curl(DESCRIBE)
    replies["executed"] = page.curl(EXECUTE)
    job = replies["executed"].json()["jobID"]
    status = page.ended(job)
    replies["results"] = page.of_job(job, "/results")
    return Walk(page, replies, status)


def test_the_package_is_deployed_by_reference_and_as_it_is(walk: Walk) -> None:
    for name in ("by reference", "deployed"):
        reply = walk.replies[name]
        assert (reply.status, reply.headers.get_all("Location")) == (201, [f"{walk.page.url}/processes/water-bodies"])
        summary = reply.json()
        assert (summary["id"], summary["version"], summary["mutable"]) == ("water-bodies", "1.0.0", True)
        assert {"async-execute", "dismiss"} <= set(summary["jobControlOptions"])
        author = [entry for entry in summary["metadata"] if entry["role"] == "https://schema.org/author"]
        assert author[0]["value"]["@context"] == "https://schema.org"
    assert (walk.replies["again"].status, walk.replies["undeployed"].status) == (409, 204)


def test_the_description_has_the_inputs_of_the_page(walk: Walk) -> None:
    described = walk.replies["described"].json()
    assert set(described["inputs"]) == {"aoi", "epsg", "bands", "stac_items"}
    assert described["inputs"]["stac_items"]["schema"]["type"] == "array"
    assert described["inputs"]["epsg"]["schema"]["default"] == "EPSG:4326"
    assert described["inputs"]["bands"]["schema"]["default"] == ["green", "nir"]
    assert list(described["outputs"]) == ["stac_catalog"]


def test_line_breaks_that_curl_eats_are_noticed(walk: Walk) -> None:
    eaten = walk.page.curl(DEPLOY_THE_DOCUMENT.replace("--data-binary", "-d"))
    assert eaten.status == 400 and "--data-binary" in eaten.json()["detail"]


def test_the_job_is_accepted_as_on_the_page(walk: Walk) -> None:
    reply = walk.replies["executed"]
    accepted = reply.json()
    assert (reply.status, reply.headers["Location"]) == (201, f"{walk.page.url}/jobs/{accepted['jobID']}")
    assert reply.headers["Preference-Applied"] == "respond-async;return=representation"
    assert reply.headers.get_content_type() == "application/json"
    assert (accepted["type"], accepted["processID"]) == ("process", "water-bodies")
    assert accepted["status"] in ("accepted", "running")
    monitor = [link for link in accepted["links"] if link["rel"] == "monitor"]
    assert [(link["href"], link["type"]) for link in monitor] == [(reply.headers["Location"], "application/json")]


def test_the_finished_job_links_its_results_and_ten_logs(walk: Walk) -> None:
    assert walk.status["status"] == "successful", walk.status
    assert walk.status["created"] <= walk.status["started"] <= walk.status["finished"]
    links = walk.status["links"]
    results = [link["href"] for link in links if link["rel"] == "http://www.opengis.net/def/rel/ogc/1.0/results"]
    assert results == [f"{walk.page.url}/jobs/{walk.job}/results"]
    logs = {link["title"]: link for link in links if link["rel"] == "related"}
    assert set(logs) == {f"Tool log {name}.log" for name in LOGS}
    for title, link in logs.items():
        reply = requests.get(link["href"])
        assert link["type"] == "text/plain" and link["href"].startswith(walk.page.url)
        assert (reply.status_code, reply.headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
        assert reply.text, f"{title} is empty"


def test_a_log_is_where_the_page_has_it(walk: Walk) -> None:
    root = walk.page.url.removesuffix("/ogc-api")
    for name in LOGS:
        reply = requests.get(f"{root}/temp/water-bodies-{walk.job}/{name}.log")
        linked = requests.get(f"{walk.page.url}/jobs/{walk.job}/logs/{name}.log")
        assert (reply.status_code, reply.text) == (200, linked.text)
    other = walk.page.mill.url + ("" if "acme" in root else "/acme")
    assert requests.get(f"{other}/temp/water-bodies-{walk.job}/node_crop.log").status_code == 404


def test_the_result_is_a_feature_collection_named_after_the_job(walk: Walk) -> None:
    assert (walk.value["type"], walk.value["id"]) == ("FeatureCollection", walk.job)
    assert [feature["id"] for feature in walk.value["features"]] == list(SHORES)
    for feature in walk.value["features"]:
        assert (feature["type"], feature["collection"]) == ("Feature", walk.job)
        assert {"bbox", "geometry", "properties", "assets", "stac_version"} <= set(feature)
        west, south, east, north = feature["bbox"]
        assert west < east and south < north and feature["geometry"]["type"] == "Polygon"
        assert feature["properties"]["datetime"].startswith("202")


def test_the_links_of_each_feature_lead_somewhere(walk: Walk) -> None:
    for feature in walk.value["features"]:
        links = {link["rel"]: link for link in feature["links"]}
        assert set(links) == {"collection", "root", "self", "parent"}
        found = {rel: requests.get(link["href"]).json() for rel, link in links.items()}
        assert all(link["href"].startswith(walk.page.url) for link in links.values())
        assert found["collection"] == found["parent"]
        assert (found["collection"]["type"], found["collection"]["id"]) == ("Collection", walk.job)
        assert (found["root"]["type"], found["self"]["type"]) == ("Catalog", "Feature")
        assert found["self"]["id"] == feature["id"]
        assert links["collection"]["title"] == links["parent"]["title"] == "Processing results"


def test_the_collection_of_the_job_says_where_and_when(walk: Walk) -> None:
    address = next(link["href"] for link in walk.value["features"][0]["links"] if link["rel"] == "collection")
    collection = requests.get(address).json()
    ((west, south, east, north),) = collection["extent"]["spatial"]["bbox"]
    for feature in walk.value["features"]:
        assert west <= feature["bbox"][0] < feature["bbox"][2] <= east
        assert south <= feature["bbox"][1] < feature["bbox"][3] <= north
    ((begin, end),) = collection["extent"]["temporal"]["interval"]
    assert begin < end
    assert {"license", "description", "stac_version"} <= set(collection)
    items = [link["href"] for link in collection["links"] if link["rel"] == "item"]
    assert [requests.get(requests.compat.urljoin(address, item)).json()["id"] for item in items] == list(SHORES)


def test_the_masks_show_the_water_that_is_there(walk: Walk) -> None:
    for feature, shore in zip(walk.value["features"], SHORES.values(), strict=True):
        asset = feature["assets"]["data"]
        assert asset["type"].startswith("image/tiff; application=geotiff")
        assert asset["href"].startswith(f"{walk.page.url}/jobs/{walk.job}/files/")
        with rasterio.MemoryFile(requests.get(asset["href"]).content) as file, file.open() as mask:
            pixels, transform = mask.read(1), mask.transform
        eastings = transform.c + transform.a * (np.arange(pixels.shape[1]) + 0.5)
        inside, water = pixels[1:-1, 1:-1], np.broadcast_to(eastings < shore, pixels.shape)[1:-1, 1:-1]
        assert inside.size > 300_000 and np.array_equal(inside, water)


@pytest.mark.thorough
def test_the_snippets_in_python_do_the_same_and_the_job_is_deleted(walk: Walk) -> None:
    names: dict[str, Any] = {"requests": Far, "ogc_api_endpoint": walk.page.url}
    exec(walk.page.here(IN_PYTHON), names)
    assert names["response"].status_code == 201
    value = names["results_response"].json()["stac_catalog"]["value"]
    assert [feature["id"] for feature in value["features"]] == list(SHORES)
    assert (names["deletion"].status_code, names["deletion"].json()["status"]) == (200, "dismissed")
    assert requests.get(names["job_url"]).status_code == 404


@pytest.mark.parametrize("when", ["it runs", "it has ended"])  # the last test: no other needs the job any more
def test_a_job_is_deleted_as_on_the_page(walk: Walk, when: str) -> None:
    job = walk.job if when == "it has ended" else walk.page.curl(EXECUTE).json()["jobID"]
    reply = walk.page.of_job(job, method="DELETE")
    assert reply.status == 200
    document = reply.json()
    assert (document["jobID"], document["status"], document["type"]) == (job, "dismissed", "process")
    assert document["processID"] == "water-bodies" and {"created", "updated"} <= set(document)
    assert any(link["href"] == f"{walk.page.url}/jobs" for link in document["links"])
