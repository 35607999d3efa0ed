"""How fast CWL packages are deployed and run, and a real one beside cwltool."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.client import Client
from benchmarks.figures import Figure, compared, cpu, latency
from benchmarks.measuring import interleaved, milliseconds
from benchmarks.mill import Mill, serving
from benchmarks.scale import Scale
from examples import backstage
from examples.backstage import expect

sys.path.insert(0, str(Path(backstage.__file__).parent))
from demo_cwl import halves  # noqa: E402

EXAMPLE = Path(backstage.__file__).with_name("water-bodies")
AOI = "-75.6600,37.6429,-75.5800,37.7164"
CWL = {"Content-Type": "application/cwl+yaml"}
SAY = b"""
cwlVersion: v1.2
class: CommandLineTool
id: say
baseCommand: echo
inputs: {word: {type: string, inputBinding: {}}}
stdout: said.txt
outputs: {said: stdout}
"""
SLEEP = b"""
cwlVersion: v1.2
class: CommandLineTool
id: rest
baseCommand: sleep
inputs: {seconds: {type: int, inputBinding: {}}}
stdout: nothing.txt
outputs: {nothing: stdout}
"""
FOUR_STEPS = b"""
cwlVersion: v1.2
$graph:
- class: Workflow
  id: four-steps
  requirements: {ScatterFeatureRequirement: {}, InlineJavascriptRequirement: {}}
  inputs: {words: "string[]"}
  outputs: {counted: {type: File, outputSource: count/out}}
  steps:
    say: {run: "#say", scatter: word, in: {word: words}, out: [out]}
    join: {run: "#cat", in: {files: say/out}, out: [out]}
    sort: {run: "#sort", in: {file: join/out}, out: [out]}
    count: {run: "#wc", in: {file: sort/out}, out: [out]}
- class: CommandLineTool
  id: say
  baseCommand: echo
  inputs: {word: {type: string, inputBinding: {valueFrom: "$(self.toUpperCase())"}}}
  stdout: $(inputs.word).txt
  outputs: {out: stdout}
- class: CommandLineTool
  id: cat
  baseCommand: cat
  inputs: {files: {type: "File[]", inputBinding: {}}}
  stdout: joined.txt
  outputs: {out: stdout}
- class: CommandLineTool
  id: sort
  baseCommand: sort
  inputs: {file: {type: File, inputBinding: {}}}
  stdout: sorted.txt
  outputs: {out: stdout}
- class: CommandLineTool
  id: wc
  baseCommand: wc
  inputs: {file: {type: File, inputBinding: {}}}
  stdout: counted.txt
  outputs: {out: stdout}
"""


def cwl(scale: Scale) -> Iterator[Figure]:
    """A package is deployed; POST of one tool, and of four steps with a scatter of two, until the job is successful."""
    with serving() as mill:
        client = mill.client()
        for document in (SAY, FOUR_STEPS):
            deploy(client, document)
        jobs = ("say", {"word": "hello"}), ("four-steps", {"words": ["one", "two"]})
        for process, inputs in jobs:
            run(mill, client, process, inputs)
        mill.warm_up()
        before = mill.cpu()
        works = [lambda job=job: milliseconds(lambda: run(mill, client, *job)) for job in jobs]
        tool, steps, deployed = interleaved(scale.single // 4, *works, lambda: redeploy(client))
        after = mill.cpu()
    yield from latency("POST until successful, one tool", tool, most=100)
    yield from latency("POST until successful, four steps", steps, most=300)
    yield from latency("POST of a package until its 201", deployed)
    yield from cpu("all three, without the jobs' own", before, after, scale.single // 4 + 1)


def water(scale: Scale) -> Iterator[Figure]:
    """The water-bodies example on two images, beside the command cwltool on the same host."""
    images = str(EXAMPLE / "images.toml")
    with TemporaryDirectory(prefix="geomill-bench-", dir="/tmp") as folder, backstage.serving(Path(folder)) as url:
        place = Path(folder)
        inputs = {"stac_items": [f"{url}/{name}/item.json" for name in halves(place)], "aoi": AOI}
        with serving(None, "--images", images, allow=url.removeprefix("http://")) as mill:
            client = mill.client()
            deploy(client, (EXAMPLE / "water-bodies.cwl").read_bytes(), "?w=water-bodies")
            run(mill, client, "water-bodies", inputs)
            mill.warm_up()
            ours, theirs = interleaved(
                scale.packages,
                lambda: milliseconds(lambda: run(mill, client, "water-bodies", inputs)),
                lambda: milliseconds(lambda: cwltool(place, inputs)),
            )
    beside = "ms, cwltool --no-container --parallel", theirs
    yield compared("POST until successful, water bodies", "ms", ours, beside, most=0.5)


def deploy(client: Client, document: bytes, query: str = "") -> None:
    """Deploy a package."""
    client.expect(201, "POST", f"/processes{query}", document, CWL)


def redeploy(client: Client) -> float:
    """Deploy a package anew: the milliseconds until it is."""
    document = SAY.replace(b"id: say", b"id: say-anew")
    taken = milliseconds(lambda: deploy(client, document))
    client.expect(204, "DELETE", "/processes/say-anew")
    return taken


def run(mill: Mill, client: Client, process: str, inputs: dict[str, Any]) -> None:
    """Execute, and wait until the job is successful."""
    status = mill.wait(client.execute(process, inputs))
    expect(status["status"] == "successful", f"{process} ended as {status}")


def cwltool(place: Path, inputs: dict[str, Any]) -> None:
    """What somebody without Geomill would run."""
    (place / "inputs.json").write_text(json.dumps(inputs))
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(EXAMPLE / "tools"),
        "HOME": str(place),
    }
    options = ["--no-container", "--parallel", "--preserve-environment", "PYTHONPATH", "--outdir", "outputs"]
    entry = f"{EXAMPLE / 'water-bodies.cwl'}#water-bodies"
    command = [sys.executable, "-m", "cwltool", *options, entry, "inputs.json"]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
    expect(done.returncode == 0, f"cwltool failed: {done.stderr[-1000:]}")
