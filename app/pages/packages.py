"""The package that somebody puts into a form: a file, a text, or an address; and carried on to the next form."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from geomill.app.deployment import Plan
from geomill.app.exchange import InvalidRequest
from geomill.app.exchange.package import OGC, Package, read

LINKED, YAML, JSON = "application/cwl", "application/cwl", "application/cwl+json"
EDITABLE = 200_000  # bytes of a package that is shown to be changed


@dataclass(frozen=True)
class Given:
    """What a form says. content: of the package; href: where it is instead; w: names the entry of the document.

    seen: the digest of the plan that was shown, "" where none was.
    """

    content: bytes = b""
    href: str = ""
    w: str = ""
    seen: str = ""

    @classmethod
    def of(cls, form: Mapping[str, str], upload: bytes) -> Given:
        """The form as a browser sent it. upload: the file in it. Raises InvalidRequest."""
        said = {name: form.get(name, "").strip() for name in ("href", "w", "seen", "carried")}
        carried = said.pop("carried")
        if carried:
            try:
                return cls(**said, content=b64decode(carried, validate=True))
            except ValueError:
                raise InvalidRequest("The package was cut off on its way; give it again.") from None
        text = form.get("text", "").replace("\r\n", "\n").encode()  # which browsers make of every line's end
        return cls(**said, content=upload or (text if text.strip() else b""))

    @property
    def text(self) -> str:
        """The package, to be changed; "" for one that is too large or no text."""
        try:
            return self.content.decode() if len(self.content) <= EDITABLE else ""
        except UnicodeDecodeError:
            return ""

    @property
    def carried(self) -> str:
        """The package for a field of the next form: browsers change the ends of lines, and not these letters."""
        return b64encode(self.content).decode()

    def package(self) -> Package:
        """The package. Raises InvalidRequest."""
        if self.content and self.href:
            raise InvalidRequest("There are a package and an address: give one of them.")
        if self.href:
            linked = {"executionUnit": {"href": self.href, "type": LINKED}}
            return read(json.dumps(linked).encode(), OGC)
        if not self.content:
            raise InvalidRequest("There is no package yet: choose a file, paste its text, or give its address.")
        if not self.content.lstrip().startswith(b"{"):
            return read(self.content, YAML)
        return read(self.content, OGC if b'"executionUnit"' in self.content else JSON)


def digest(plan: Plan) -> str:
    """Names what would be deployed: a document that is fetched again may have changed meanwhile."""
    said = json.dumps([plan.process_id, plan.description, plan.entry, plan.runner], sort_keys=True, default=str)
    return hashlib.sha256(said.encode() + b"\0" + (plan.document or b"")).hexdigest()
