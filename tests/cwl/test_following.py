"""Who follows a job by its events ends up with what the documents say."""

from __future__ import annotations

from typing import Any

import pytest
from support.hostile import Json, deploy, glob, tool, workflow
from support.mills import Mill
from support.streams import read
from support.waiting import until

SAY: Json = tool("open('o.txt', 'w').write('x'); print('said')", {"o": glob("o.txt")}, {"before": "File?"})


@pytest.mark.thorough
def test_the_steps_and_logs_of_a_job_are_told(server: Mill, name: str) -> None:
    steps = {
        "one": {"run": SAY, "in": {}, "out": ["o"]},
        "two": {"run": SAY, "in": {"before": "one/o"}, "out": ["o"]},
    }
    deploy(server, workflow(steps, {"o": {"type": "File", "outputSource": "two/o"}}), name)
    job_id, known, last = server.submit(name), Known(), ""

    def poll() -> bool:
        nonlocal last
        reply = server.call("GET", f"/jobs/{job_id}/events", Accept="text/event-stream", Last_Event_ID=last)
        if reply.status == 204:
            return True
        events, last = read(reply.data.decode())
        known.learn(events)
        return False

    until(poll, 60)
    document = server.call("GET", f"/jobs/{job_id}/events").json()
    assert [step["id"] for step in document["steps"]] == list(known.steps)
    told = [{name: step[name] for name in step if name != "log"} for step in known.steps.values()]
    assert told == [{name: step[name] for name in step if name != "log"} for step in document["steps"]]
    status = server.status(job_id)
    assert {member: known.status[member] for member in ("status", "progress", "updated", "finished")} == {
        member: status[member] for member in ("status", "progress", "updated", "finished")
    }
    for log in known.logs.values():
        assert len(server.call("GET", log["href"].removeprefix(server.url)).data) == log["size"]
    assert {"one.log", "two.log"} <= set(known.logs)


class Known:
    """What a page knows, who learns by events alone."""

    def __init__(self) -> None:
        self.status: Json = {}
        self.steps: dict[str, Json] = {}
        self.logs: dict[str, Json] = {}

    def learn(self, events: list[tuple[str, Any]]) -> None:
        for kind, content in events:
            if kind == "status":
                self.status = content
            elif kind == "step":
                self.steps[content["id"]] = content
            else:
                self.logs[content["name"]] = content
