"""Large results and large inputs: what they cost the server, and others meanwhile."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from benchmarks.client import JSON, Client, body
from benchmarks.figures import Figure
from benchmarks.measuring import milliseconds, p50, percentile, private
from benchmarks.mill import Mill, serving
from benchmarks.scale import Scale
from benchmarks.tracing import can_trace, tracing
from examples import backstage
from examples.backstage import expect

STREAMED, READ = 0.1, 8.0  # times the size of what goes through in pieces, and of what is read whole
STALLED = 200.0  # ms
READING = ("read", "pread64", "write", "sendto", "sendmsg", "recvfrom")
BY_VALUE = 9_900_000  # bytes of a request that is just small enough


@dataclass
class Watched:
    """What was seen of a server meanwhile. web, everything: MB that its workers, and all its processes, the job's
    included, had more at the most; waits: ms for other answers.
    """

    web: float = 0.0
    everything: float = 0.0
    waits: list[float] = field(default_factory=list)

    def figures(self, size: float, most: float) -> Iterator[Figure]:
        """How much memory, and how long others have waited. size: MB; most: so many times that of the workers."""
        note = f"{self.web:.0f} MB"
        yield Figure("memory of the workers meanwhile", self.web / size, "x its size more", most=most, note=note)
        note = f"{self.everything:.0f} MB"
        yield Figure("memory of all processes meanwhile", self.everything / size, "x its size more", note=note)
        yield Figure("GET status meanwhile, the longest", percentile(self.waits, 1), "ms", most=STALLED)


def result(scale: Scale) -> Iterator[Figure]:
    """A large result is sent by the kernel; parts of it, and only what is new, on request."""
    with serving() as mill:
        client = mill.client()
        job_id = client.execute("large", {"megabytes": scale.large})
        status = mill.wait(job_id)
        expect(status["status"] == "successful", f"large ended as {status}")
        path, size = f"/jobs/{job_id}/results/result", scale.large * 1_000_000
        seconds = []
        with watched(mill) as seen:
            for _ in range(3):
                seconds.append(milliseconds(lambda: expect(swallowed(mill, path) == size, "it is not whole")) / 1000)
        yield Figure(f"GET of {scale.large} MB", scale.large / p50(seconds), "MB/s")
        yield from seen.figures(scale.large, STREAMED)
        if can_trace():
            with tracing(mill.workers()) as counted:
                swallowed(mill, path)
            yield Figure("calls of sendfile", counted["sendfile"], "", least=1)
            yield Figure("other calls that read or write", sum(counted[name] for name in READING), "")
        yield Figure("answers to Range and to conditions that are right", right(client, path, size), "of 6", least=6)


def swallowed(mill: Mill, path: str) -> int:
    """Get something and keep nothing of it: its bytes."""
    connection = HTTPConnection(urlsplit(mill.url).netloc, timeout=120)
    connection.request("GET", path)
    answer = connection.getresponse()
    buffer, size = bytearray(1_000_000), 0
    while got := answer.readinto(buffer):
        size += got
    connection.close()
    return size


def right(client: Client, path: str, size: int) -> int:
    """How many answers to questions for a part of a file, or for what is new, are what HTTP says. RFC 9110, 13, 14"""
    whole = client.expect(200, "HEAD", path)
    tag, last = whole.headers["ETag"], size - 1
    asked: list[tuple[dict[str, str], int, int]] = [
        ({"Range": "bytes=10-19"}, 206, 10),
        ({"Range": f"bytes={last - 4}-"}, 206, 5),
        ({"Range": "bytes=-7"}, 206, 7),
        ({"Range": f"bytes={size}-"}, 416, -1),
        ({"If-None-Match": tag}, 304, 0),
        ({"Range": "bytes=0-3", "If-Range": tag}, 206, 4),
    ]
    found = 0
    for headers, status, length in asked:
        reply = client.call("GET", path, None, headers)
        found += reply.status == status and length in (-1, len(reply.body))
    return found


def reference(scale: Scale) -> Iterator[Figure]:
    """A large input by reference goes to the disk as it comes."""
    with TemporaryDirectory(prefix="geomill-bench-", dir="/tmp") as folder, backstage.serving(Path(folder)) as url:
        with open(f"{folder}/large.bin", "wb") as file:
            file.truncate(scale.medium * 1_000_000)
        given = {"data": {"href": f"{url}/large.bin", "type": "application/octet-stream"}}
        with serving(allow=url.removeprefix("http://")) as mill:
            mill.warm_up()
            ended(mill, "weigh", given)
            with watched(mill) as seen:
                taken = milliseconds(lambda: ended(mill, "weigh", given))
    yield Figure(f"an input of {scale.medium} MB by reference", scale.medium / taken * 1000, "MB/s")
    yield from seen.figures(scale.medium, STREAMED)


def value(scale: Scale) -> Iterator[Figure]:
    """GeoJSON of ten megabytes in a request."""
    content = body({"collection": features(BY_VALUE)})
    megabytes = len(content) / 1_000_000
    with serving() as mill:
        mill.warm_up()
        client = mill.client()
        posted(mill, client, body({"collection": features(2000)}))
        with watched(mill) as seen:
            times = [posted(mill, client, content) for _ in range(3)]
    yield Figure(f"POST of {megabytes:.1f} MB of GeoJSON until successful", p50(times), "ms")
    yield from seen.figures(megabytes, READ)


def features(size: int) -> dict[str, object]:
    """A collection of polygons of almost so many bytes."""
    ring = [[round(7.4 + step / 977, 6), round(43.7 + step * step / 97_711, 6)] for step in range(40)]
    geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    feature = {"type": "Feature", "properties": {"name": "field", "area": 12.5}, "geometry": geometry}
    count = size // (len(json.dumps(feature)) + 2)
    return {"type": "FeatureCollection", "features": [feature] * (count - 1)}


def posted(mill: Mill, client: Client, content: bytes) -> float:
    """Milliseconds until a job with this request has ended."""
    begun = time.monotonic()
    headers = {**JSON, "Prefer": "respond-async"}
    reply = client.expect(201, "POST", "/processes/count/execution", content, headers)
    status = mill.wait(reply.json()["jobID"])
    expect(status["status"] == "successful", f"count ended as {status}")
    return 1000 * (time.monotonic() - begun)


def ended(mill: Mill, process: str, inputs: dict[str, object]) -> None:
    """Execute, and wait until it is successful."""
    status = mill.wait(mill.client().execute(process, inputs))
    expect(status["status"] == "successful", f"{process} ended as {status}")


@contextmanager
def watched(mill: Mill) -> Iterator[Watched]:
    """Look at a server meanwhile, and ask it for a status, again and again."""
    seen, over, client = Watched(), threading.Event(), mill.client()
    path = f"/jobs/{client.execute('echo', {'echoInput': 'hello'})}"
    mill.drain()
    time.sleep(0.5)  # a spare gets ready

    def used() -> tuple[float, float]:
        web = sum(map(private, mill.workers()))
        return web, web + sum(map(private, mill.engine()))

    def look() -> None:
        web, everything = used()
        while not over.wait(0.01):
            now = used()
            seen.web, seen.everything = max(seen.web, now[0] - web), max(seen.everything, now[1] - everything)

    def ask() -> None:
        while not over.wait(0.01):
            seen.waits.append(milliseconds(lambda: client.expect(200, "GET", path)))

    threads = [threading.Thread(target=work) for work in (look, ask)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()
