"""Half load for a long time: nothing of the server may grow. `make soak`, or `make soak MINUTES=5`."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import leaks  # noqa: E402

from chaos.agent import dispatchers, master, templates, workers  # noqa: E402
from chaos.load import Book, Client, deploy  # noqa: E402
from chaos.modes import AS_ROOT, AS_THIS, MODES  # noqa: E402
from chaos.server import Server, ended, fresh, reap  # noqa: E402
from geomill.app.engine import isolation, reaper  # noqa: E402

EVERY = 2.0  # seconds between two samples
WARM_UP = 0.3  # of the time, in which caches fill and libraries are loaded
# by how much the fitted line may rise in the rest of the time: a part of the mean, and an amount
FLAT = {"pss": (0.05, 1 << 20), "descriptors": (0, 4), "inodes": (0.05, 40), "zombies": (0, 1), "logs": (0, 100_000)}


class Tidy(Client):
    """A client that works half of the time and leaves no job behind."""

    def run(self, enough: threading.Event) -> None:
        """Until told."""
        acts = [self.submit_nap, self.submit_nap, self.submit_file, self.submit_package, self.dismiss_one,
                self.look_at_the_list, self.retry_one]  # fmt: skip
        try:
            while not enough.is_set():
                begun = time.monotonic()
                for act in self.chance.sample(acts, 4):
                    act()
                    self.book.done[act.__name__.replace("_", " ")] += 1
                while self.waiting:
                    self.follow(self.waiting[0])
                while any(not each.removed for each in self.ended):
                    self.remove_one()
                self.ended.clear()
                enough.wait(time.monotonic() - begun)
        except Exception as error:
            self.book.wrong.append(f"a client failed: {type(error).__name__}: {error}")


@dataclass
class Series:
    """What was measured, by (what, whose): (seconds, value)."""

    values: dict[tuple[str, str], list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def sample(self, server: Server, moment: float) -> None:
        """One look at everything."""
        for name, pid in _processes(server):
            with suppress(OSError, StopIteration):
                self.values["pss", name].append((moment, _pss(pid)))
                self.values["descriptors", name].append((moment, len(os.listdir(f"/proc/{pid}/fd"))))
        self.values["inodes", "home"].append((moment, _entries(server.settings.home)))
        self.values["inodes", "runtime"].append((moment, _entries(server.settings.runtime_dir, but="locks")))
        self.values["zombies", "all"].append((moment, _zombies()))
        logs = (server.root / "server.log", server.settings.runtime_dir / "dispatcher.log")
        self.values["logs", "all"].append((moment, sum(path.stat().st_size for path in logs if path.exists())))

    def judged(self, warm: float) -> Iterator[tuple[str, str, float, float, float, bool]]:
        """(what, whose, mean, rise of the fitted line, what it may be, whether it is flat) after the warm-up."""
        for (what, whose), all_of_it in sorted(self.values.items()):
            points = [point for point in all_of_it if point[0] >= warm]
            if len(points) < 3:
                continue
            mean, rise = fmean(value for _, value in points), _slope(points) * (points[-1][0] - points[0][0])
            part, amount = FLAT[what]
            yield what, whose, mean, rise, mean * part + amount, rise <= mean * part + amount


def _processes(server: Server) -> Iterator[tuple[str, int]]:
    """The server's lasting processes, by names that stay the same."""
    yield from (("master", pid) for pid in master(server))
    yield from ((f"worker {number}", pid) for number, pid in enumerate(sorted(workers(server))))
    yield from (("dispatcher", pid) for pid in dispatchers(server)[:1])
    yield from ((leaks.running_name(pid), pid) for pid in templates(server))


def _pss(pid: int) -> int:
    """Bytes of memory, what is shared counted in parts."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("Pss:")).split()[1])


def _entries(folder: Path, but: str = "") -> int:
    return sum(len(names) + len(folders) for place, folders, names in os.walk(folder) if Path(place).name != but)


def _zombies() -> int:
    return sum(not leaks.running_name(pid) for pid in reaper.descendants(os.getpid()))


def _slope(points: list[tuple[float, float]]) -> float:
    """Of the line that fits best."""
    x, y = fmean(point[0] for point in points), fmean(point[1] for point in points)
    return sum((a - x) * (b - y) for a, b in points) / (sum((a - x) ** 2 for a, _ in points) or 1)


def soak(minutes: float, clients: int, seed: int) -> bool:
    """Whether everything stayed flat; prints the figures."""
    book, enough, series = Book(), threading.Event(), Series()
    how = dict(MODES[AS_ROOT if os.geteuid() == 0 else AS_THIS])
    with fresh(**how) as server, ended(server):
        deploy(server.url)
        crowd = [Tidy(server.url, book, random.Random(seed + number)) for number in range(clients)]
        threads = [threading.Thread(target=client.run, args=(enough,), daemon=True) for client in crowd]
        for thread in threads:
            thread.start()
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < minutes * 60:
            reap(server)
            series.sample(server, passed)
            time.sleep(EVERY)
        enough.set()
        for thread in threads:
            thread.join(60)
    flat = _told(series, book, minutes)
    shutil.rmtree(server.root, ignore_errors=True)
    return flat


def _told(series: Series, book: Book, minutes: float) -> bool:
    done: Counter[str] = book.done
    print(f"{minutes:g} minutes, {len(book.promises)} jobs: {dict(sorted(done.items()))}")
    print(f"{'what':<12} {'whose':<16} {'mean':>12} {'rise':>12} {'at most':>12}")
    flat = True
    for what, whose, mean, rise, most, good in series.judged(minutes * 60 * WARM_UP):
        flat = flat and good
        print(f"{what:<12} {whose:<16} {mean:12.0f} {rise:12.1f} {most:12.1f} {'' if good else ' GROWS'}")
    for each in book.wrong[:20]:
        print(f"WRONG {each}")
    return flat and not book.wrong


def main() -> int:
    """The figures; 1 when something grows."""
    parser = argparse.ArgumentParser(prog="make soak", description="Half load for a long time: nothing may grow.")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    given = parser.parse_args()
    isolation.adopt_orphans()
    return int(not soak(given.minutes, given.clients, given.seed))


if __name__ == "__main__":
    sys.exit(main())
