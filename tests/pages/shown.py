"""Jobs and processes of every kind to look at, made when the first page asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from support.hostile import deploy, expression, workflow
from support.mills import Mill
from support.waiting import until

from geomill.jobstore.callbacks import noted

NOBODY = "127.0.0.1:9"  # where callbacks may go, and nobody listens


class Shown(dict[str, str]):
    """Ids by what they are: Shown(site)["failed"] is that of a job that failed."""

    def __init__(self, site: Mill) -> None:
        super().__init__()
        self.site = site
        self._ways: dict[str, Callable[[], str]] = {
            "successful": lambda: self._ended("add", a=1, b=2, note="a note"),
            "files": lambda: self._ended("write", count=20),
            "classified": self._classified,
            "failed": lambda: self._ended("fail"),
            "running": self._running,
            "accepted": self._accepted,
            "dismissed": self._dismissed,
            "called": self._called,
            "package": self._package,
            "steps": lambda: self._ended(self["package"], number=1),
            "broken": lambda: self._ended(self["package"], number=-1),
        }

    def __missing__(self, name: str) -> str:
        self[name] = self._ways[name]()
        return self[name]

    def _ended(self, process: str, **inputs: object) -> str:
        job_id = self.site.submit(process, **inputs)
        self.site.ended(job_id, 60)
        return job_id

    def _classified(self) -> str:
        """One whose raster somebody has looked at: its picture is there."""
        job_id = self._ended("classified")
        until(lambda: self.site.call("GET", f"/jobs/{job_id}/pictures/kinds.tif").status == 200)
        return job_id

    def _running(self) -> str:
        job_id = self.site.submit("alone")
        self.site.message(job_id, "waiting")
        return job_id

    def _accepted(self) -> str:
        assert self["running"]
        return self.site.submit("alone")

    def _dismissed(self) -> str:
        job_id = self.site.submit("go-on")
        self.end(job_id)
        return job_id

    def _called(self) -> str:
        """One whose subscriber does not answer."""
        uri = f"http://{NOBODY}/done?token=secret"
        body = {"inputs": {"a": 1, "b": 2}, "subscriber": {"successUri": uri, "failedUri": uri}}
        reply = self.site.call("POST", "/processes/add/execution", body, Prefer="respond-async")
        job_id = str(reply.json()["jobID"])
        until(lambda: len(noted(self.site.store.folder(job_id))) > 1)
        return job_id

    def _package(self) -> str:
        """A workflow of three steps, the second of which fails for numbers below zero."""
        text = {"text": "string"}
        steps = {
            "begin": {"run": _say("return {text: 'a' + inputs.number}", number="int"), "in": {"number": "number"}},
            "check": {"run": _say(_CHECK, text="string"), "in": {"text": "begin/text"}},
            "finish": {"run": _say("return {text: inputs.text + 'c'}", text="string"), "in": {"text": "check/text"}},
        }
        document = workflow(
            {name: {**step, "out": list(text)} for name, step in steps.items()},
            {"said": {"type": "string", "outputSource": "finish/text"}},
            {"number": {"type": "int", "label": "Number", "doc": "Below zero the second step fails."}},
            label="Three steps",
            doc="Says something in three steps.",
        )
        deploy(self.site, document, "three-steps")
        return "three-steps"

    def end(self, job_id: str) -> None:
        """Dismiss a job, and wait for its end."""
        self.site.call("DELETE", f"/jobs/{job_id}")
        until(lambda: self.site.store.status(job_id).status.final)


_CHECK = "if (inputs.text === 'a-1') throw 'the number is below zero'; return {text: inputs.text + 'b'}"


def _say(script: str, **inputs: str) -> dict[str, object]:
    return expression(script, {"text": "string"}, inputs)


@contextmanager
def showing(site: Mill) -> Iterator[Shown]:
    """What there is to see at a server; what still goes on is dismissed afterwards."""
    shown = Shown(site)
    try:
        yield shown
    finally:
        for name in {"accepted", "running"} & set(shown):
            shown.end(shown[name])
