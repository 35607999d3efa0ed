"""OWSLib, which knows no jobs: their addresses are in the headers and documents that it keeps."""

from __future__ import annotations

from typing import Any

from owslib.ogcapi.processes import Processes
from telling import EVERYTHING, SERVER, refused, tell

client = Processes(SERVER)


def problem(error: Any) -> str:
    return str(error)


seen: dict[str, Any] = {
    "landing": [link["rel"] for link in client.links],
    "definition": client.api()["openapi"],
    "conformance": client.conformance()["conformsTo"],
    "processes": [process["id"] for process in client.processes()],
}
seen["described"] = {process_id: sorted(client.process(process_id)["inputs"]) for process_id in seen["processes"]}

seen["executed"] = client.execute("echo", {"echoInput": "hi"})
seen["one output"] = client.execute("echo", EVERYTHING, {"numbersInput": {}})
seen["bad input"] = refused(lambda: client.execute("echo", {"echoInput": 5}), problem)
accepted = client.execute("echo", EVERYTHING, async_=True)
seen["accepted"] = [accepted["status"]]
seen["location"] = client.response_headers["Location"].endswith(f"/jobs/{accepted['jobID']}")
seen["kept"] = Processes(SERVER).headers["Prefer"]
seen["no such process"] = refused(lambda: client.process("none"), problem)
seen["elsewhere"] = [process["id"] for process in Processes(f"{SERVER}/ogc-api/").processes()]
seen["with a query"] = [process["id"] for process in Processes(f"{SERVER}/?f=json").processes()]

seen["limits"] = {
    '`response="raw"` with a text or a file': refused(
        lambda: client.execute("echo", {"echoInput": "hi"}, {"echoInput": {}}, response="raw")
    ),
    '`response="raw"` with several outputs': refused(lambda: client.execute("echo", EVERYTHING, response="raw")),
    "`collections`, which are not of this standard": refused(client.collections, problem),
}
tell(seen)
