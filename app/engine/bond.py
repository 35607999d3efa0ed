"""Which runtime directory goes with which home: each names the other, so that whoever uses one uses both.

    <home>/runtime   the path of the runtime directory, where the locks are
    <runtime>/home   the path of the home, whose jobs the index lists and the dispatcher starts

Either may go with another once no server and no dispatcher works with the two.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from geomill.app.config import Settings, SettingsError
from geomill.app.engine.runtime import ELECTION, SERVING
from geomill.jobstore import files
from geomill.jobstore.folders import PASSABLE

RUNTIME, HOME, LOCK = "runtime", "home", "bond"


@dataclass(frozen=True)
class Bond:
    """A home and a runtime directory, by their real paths, that are to go together."""

    home: Path
    runtime: Path

    @classmethod
    def of(cls, settings: Settings) -> Bond:
        """Those that settings name; the runtime directory is there then. Raises SettingsError."""
        return cls(Path(os.path.realpath(settings.home)), Path(os.path.realpath(settings.prepare_runtime_dir())))

    def agree(self) -> None:
        """Let the two name each other; the home is there then. Raises SettingsError where one goes with another."""
        if _named(self.runtime / HOME) == self.home and _named(self.home / RUNTIME) == self.runtime:
            return _own(self.home)
        with self._alone():
            of_runtime, of_home = self._home_of_runtime(), _named(self.home / RUNTIME)
            if of_runtime != self.home and _in_use(self.runtime):
                raise self._refusal(of_runtime)
            _own(self.home)
            if of_home not in (None, self.runtime) and _named(of_home / HOME) in (None, self.home) and _in_use(of_home):
                served = f"{self.home} is being served with {of_home}"
                raise SettingsError(f"runtime_dir: {served}: use that one, not {self.runtime}")
            if of_runtime != self.home:
                self._forget_index()
            files.write_bytes(self.runtime / HOME, os.fsencode(self.home), durable=False)
            try:
                files.write_bytes(self.home / RUNTIME, os.fsencode(self.runtime), durable=False)
            except OSError as error:
                if error.errno != errno.EROFS:  # where nobody can write anything, it can be read
                    raise

    def hold(self) -> int:
        """A descriptor: as long as it is open, a server works with the two.

        Raises SettingsError where the runtime directory has gone with another home meanwhile.
        """
        with self._alone():
            if (other := _named(self.runtime / HOME)) not in (None, self.home):
                raise self._refusal(other)
            if other is None:  # somebody has removed the runtime directory
                files.write_bytes(self.runtime / HOME, os.fsencode(self.home), durable=False)
            held = os.open(self.runtime / SERVING, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(held, fcntl.LOCK_SH)
            return held

    def is_in_use(self) -> bool:
        """Whether a server or a dispatcher of the home is there."""
        return _in_use(self.runtime) and _named(self.runtime / HOME) in (None, self.home)

    def _home_of_runtime(self) -> Path | None:
        """The home that the runtime directory goes with: an earlier version noted that in the home alone."""
        return _named(self.runtime / HOME) or (self.home if _named(self.home / RUNTIME) == self.runtime else None)

    def _refusal(self, other: Path | None) -> SettingsError:
        whose = f"belongs to {other}" if other else "belongs to another home"
        choose = f"set GEOMILL_RUNTIME_DIR, for {self.home}, to a folder of its own"
        return SettingsError(f"runtime_dir: {self.runtime} {whose}, which is being served: {choose}")

    def _forget_index(self) -> None:
        """It lists the jobs of another home."""
        for path in (*self.runtime.glob("*.sqlite*"), *self.runtime.glob("*.reconciled")):
            path.unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else looks, or changes anything, meanwhile: that takes milliseconds."""
        lock = os.open(self.runtime / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, files.OWNER_ONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _own(home: Path) -> None:
    """Make a home; see that it belongs to who is at work. Raises SettingsError."""
    home.mkdir(parents=True, exist_ok=True, mode=PASSABLE)
    owner, user = home.stat().st_uid, os.geteuid()
    if owner != user:  # root, too: what he leaves in it, its owner's server could not read
        raise SettingsError(f"home: {home} belongs to user {owner}, not to user {user}: run this as its owner")


def _in_use(runtime: Path) -> bool:
    return any(files.is_locked(runtime / lock, kind=fcntl.LOCK_EX) for lock in (SERVING, ELECTION))


def _named(mark: Path) -> Path | None:
    """The path in a mark; None where there is none."""
    try:
        named = os.fsdecode(mark.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Path(os.path.realpath(named)) if named else None
