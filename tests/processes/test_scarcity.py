"""A host has no processes or threads left while files are described: nothing wrong is learnt from that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from chaos.server import as_user
from support.mills import furnish
from support.others import needs_another_user

USER = 3_000_017  # whom nobody else is: limits on the number of processes count all of a user's
MOST, FEW = 60, 5  # processes: with which everything works, and too few for what a description takes
# asks for the process of a new file with each number of processes that is too low, then for all of them with enough
SCRIPT = '''
import json, resource, sys, time
from pathlib import Path
from geomill.app import create_app
from geomill.app.config import Settings
from geomill.app.cwl import validate

root, most, few = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
given = {"home": str(root / "home"), "runtime_dir": str(root / "run"), "processes": str(root / "mine"),
         "isolation": "none"}
PACKAGE = b"""
cwlVersion: v1.2
class: CommandLineTool
id: told
baseCommand: echo
inputs: {}
outputs: {}
"""
app = create_app(Settings.load({}, given))
client = app.test_client()
told = {}
for limit in range(1, few):
    name = f"p{limit}"
    (root / f"mine/{name}.py").write_text(
        f"from geomill.processes import process\\n@process\\ndef {name}() -> int:\\n    \\"One.\\"\\n    return 1\\n"
    )
    resource.setrlimit(resource.RLIMIT_NPROC, (limit, most))
    answer = client.get(f"/processes/{name}")
    told[name] = [answer.status_code, answer.headers.get("Retry-After"), answer.json.get("detail")]
    page = client.get("/processes", headers={"Accept": "text/html"}).text
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
begun = time.monotonic()
waiting = set(told)
while (waiting or app.processes.broken()) and time.monotonic() - begun < 60:
    waiting -= {each["id"] for each in client.get("/processes").json["processes"]}
    time.sleep(0.1)
deployed = []
for limit in [most, *range(1, few), most]:  # of who reads packages, once he is there
    if validate.reader.pid:
        resource.prlimit(validate.reader.pid, resource.RLIMIT_NPROC, (limit, most))
    answer = client.post("/processes?dryRun=true", data=PACKAGE, content_type="application/cwl+yaml")
    deployed.append(answer.status_code)
print(json.dumps([told, page, sorted(waiting), [str(each) for each in app.processes.broken()],
                  deployed]))
'''


@pytest.mark.thorough
def test_a_file_that_could_not_be_described_for_want_of_processes_is_when_there_are_some(tmp_path: Path) -> None:
    needs_another_user(tmp_path)
    furnish(tmp_path / "home")
    (tmp_path / "mine").mkdir()
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, USER, USER)
    python = [*as_user(USER), sys.executable, "-P", "-c", SCRIPT, str(tmp_path), str(MOST), str(FEW)]
    done = subprocess.run(python, cwd="/", capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    told, page, waiting, broken, deployed = json.loads(done.stdout)
    assert (waiting, broken) == ([], []), done.stderr
    assert len(told) == FEW - 1
    for name, (status, retry_after, detail) in told.items():
        assert (status, retry_after) == (503, "5"), detail
        assert detail.startswith(f"Whether there is a process {name!r} is not known yet: ")
    assert "not known yet" in page
    assert deployed == [200, *[503] * (FEW - 1), 200]  # and not 400: it is not the document
