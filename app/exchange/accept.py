"""The Accept header. Source: RFC 9110, 12.5.1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from .media_types import essence, parameters


@dataclass(frozen=True)
class Accept:
    """Media ranges with their weights and profiles, as the client sent them; none at all accepts everything."""

    ranges: tuple[tuple[str, float, str], ...] = ()

    @classmethod
    @lru_cache(maxsize=256)  # clients say the same again and again
    def parse(cls, header: str | None) -> Accept:
        """The ranges of a header; malformed ones are passed over."""
        ranges = []
        for text in (header or "").split(","):
            stated = parameters(text)
            name = essence(text)
            if name.count("/") == 1:
                ranges.append((name, _weight(stated.get("q", "1")), stated.get("profile", "")))
        return cls(tuple(ranges))

    def quality(self, media_type: str) -> float:
        """Weight of a media type, 0 to 1, by the most specific range that fits; 0 is not acceptable."""
        name = essence(media_type)
        for pattern in (name, name.partition("/")[0] + "/*", "*/*"):
            weights = [weight for range_, weight, _ in self.ranges if range_ == pattern]
            if weights:
                return max(weights)
        return 0.0 if self.ranges else 1.0

    def names(self, media_type: str) -> bool:
        """Whether the client asks for exactly this type, not through a wildcard."""
        return any(name == essence(media_type) and weight > 0 for name, weight, _ in self.ranges)

    def profile(self, uri: str) -> bool:
        """Whether the client asks for this profile: `application/json; profile="<uri>"`."""
        return any(uri in profiles.split() and weight > 0 for _, weight, profiles in self.ranges)


def _weight(text: str) -> float:
    """A qvalue as a number; junk counts as 1."""
    try:
        weight = float(text)
    except ValueError:
        return 1.0
    return min(max(weight, 0.0), 1.0) if math.isfinite(weight) else 1.0
