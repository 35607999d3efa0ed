"""Settings: every knob of the server with its unit, its default and a sentence of help.

A value comes from the command's option, else from the variable GEOMILL_<NAME>, else from geomill.toml (in the current
directory, or where GEOMILL_CONFIG points), else from its default. An empty variable counts as not set.
Standard library only: the dispatcher and every job import this module.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import Field, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from geomill.app.setting_kinds import (
    ALLOW,
    ANONYMOUS,
    BUCKET,
    BYTES,
    FILE,
    FLAG,
    FOLDER,
    FOLDERS,
    ISOLATION,
    KEPT,
    LOG_FORMAT,
    PROXY,
    ROLES,
    SECONDS,
    SHARE,
    SOME_SECONDS,
    TENANTS,
    TEXT,
    TILES,
    VISIBILITY,
    WEB_ADDRESS,
    Kind,
    integer,
)

PREFIX = "GEOMILL_"
# where geomill.toml lies; the server that client commands talk to, and the token that they show it
NOT_SETTINGS = ("GEOMILL_CONFIG", "GEOMILL_SERVER", "GEOMILL_TOKEN")
MAX_RUNTIME_DIR = 80  # bytes: leaves 19 for the name of a socket in it, whose path has to stay under 100


class SettingsError(ValueError):
    """A setting that is unknown, malformed or unusable; one sentence that names it."""


def _setting(kind: Kind, help: str, **default: Any) -> Any:
    return field(metadata={"kind": kind, "unit": kind.unit, "help": help, "web": False}, **default)


def _web_setting(kind: Kind, help: str, **default: Any) -> Any:
    """A setting that only web workers read: a dispatcher need not be replaced when it changes."""
    return field(metadata={"kind": kind, "unit": kind.unit, "help": help, "web": True}, **default)


def _processors() -> int:
    return os.cpu_count() or 1


def _physical_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _most_of_memory() -> int:
    return _physical_memory() * 4 // 5


@dataclass(frozen=True)
class Settings:
    """All settings. Settings.load() reads them; one made by hand needs home and runtime_dir alone."""

    home: Path = _setting(FOLDER, "Where jobs are kept, on a local disk.")
    runtime_dir: Path = _setting(FOLDER, "Where sockets, locks and the index are kept, on this host; a short path.")
    host: str = _web_setting(TEXT, "Address to listen on; any but a loopback one needs tokens.", default="127.0.0.1")
    port: int = _web_setting(integer(0, 65535), "Port to listen on; 0 takes a free one.", default=8080)
    workers: int = _web_setting(integer(1), "Web worker processes.", default=2)
    threads: int = _web_setting(integer(2), "Threads of a worker; half may wait for synchronous jobs.", default=32)
    public_url: str | None = _web_setting(WEB_ADDRESS, "Address that links start with, behind a proxy.", default=None)
    trust_proxy: bool = _web_setting(FLAG, "Believe the X-Forwarded-* headers a proxy in front sets.", default=False)
    title: str = _web_setting(TEXT, "Name on the landing page.", default="Geomill")
    description: str = _web_setting(TEXT, "Text on the landing page.", default="Geospatial processes, run as jobs.")
    tiles: str | None = _web_setting(
        TILES, "Map tiles for the pages, if not the outline of the world alone.", default=None
    )
    tiles_by: str | None = _web_setting(
        TEXT, "Whom the map names as the source of its tiles, if not their host.", default=None
    )
    sync_wait: float = _web_setting(SECONDS, "Longest wait for a synchronous job.", default=60.0)
    stop_wait: float = _web_setting(
        SOME_SECONDS, "Longest time for requests to end when the server stops, half of it for jobs.", default=30.0
    )
    max_body: int = _web_setting(BYTES, "Largest request body.", default=10_000_000)
    max_upload: int = _web_setting(BYTES, "Largest file that a caller may upload.", default=1_000_000_000)
    max_uploads_per_caller: int = _web_setting(
        integer(1), "Uploads of one caller that are kept; more are refused.", default=100
    )
    tenants: tuple[str, ...] = _web_setting(TENANTS, "Tenants, each served at /<tenant>/ogc-api.", default=())
    anonymous: str = _web_setting(ANONYMOUS, "What who shows no token may, once there is one.", default="reader")
    jobs_visibility: str = _web_setting(VISIBILITY, "Whose jobs a caller sees; an admin sees all.", default="own")
    arcgis: bool = _web_setting(FLAG, "Serve processes as geoprocessing services, too, below /arcgis.", default=True)
    session_time: float = _web_setting(SOME_SECONDS, "How long a browser stays logged in.", default=43200.0)
    audit: Path | None = _web_setting(FILE, "Audit log, if not identity/audit.jsonl in the home.", default=None)
    oidc_issuer: str | None = _web_setting(WEB_ADDRESS, "OpenID Connect issuer whose tokens count.", default=None)
    oidc_audience: str | None = _web_setting(TEXT, "What its tokens call this server.", default=None)
    oidc_keys: str | None = _web_setting(WEB_ADDRESS, "Its keys, if it does not say where they are.", default=None)
    oidc_name_claim: str = _web_setting(TEXT, "Claim with the name of a caller.", default="sub")
    oidc_role_claim: str = _web_setting(TEXT, "Claim with the roles of a caller.", default="roles")
    oidc_roles: tuple[str, ...] = _web_setting(ROLES, "What the claim's values are here, if not roles.", default=())
    oidc_tenant_claim: str | None = _web_setting(TEXT, "Claim with the tenants of a caller.", default=None)
    processes: tuple[Path, ...] = _setting(FOLDERS, "Folders of process files, beside the shipped ones.", default=())
    max_running: int = _setting(integer(1), "Jobs that run at the same time.", default_factory=_processors)
    max_queued: int = _setting(integer(1), "Accepted jobs that may wait; more are refused.", default=10_000)
    max_queued_per_caller: int = _web_setting(
        integer(1), "Accepted jobs of one caller that may wait; more are refused.", default=2000
    )
    max_running_per_caller: int = _setting(
        integer(0), "Jobs of one caller that run at the same time; 0 for as many as of all.", default=0
    )
    min_free_bytes: int = _setting(BYTES, "Free disk space below which no job is accepted.", default=256 * 1024**2)
    min_free_inodes: int = _setting(integer(0), "Free inodes below which no job is accepted.", default=1000)
    keep: float = _setting(KEPT, "How long a finished job is kept; 0 or never: for ever.", default=2592000.0)
    keep_disk: float = _setting(SHARE, "Share of the disk in use above which jobs expire, oldest first.", default=0.8)
    keep_status: float = _setting(KEPT, "How long the status of an expired job is kept.", default=31536000.0)
    keep_uploads: float = _setting(KEPT, "How long an uploaded file is kept.", default=86400.0)
    callback_patience: float = _setting(
        SECONDS, "How long a callback is tried that its receiver does not take.", default=86400.0
    )
    time_limit: float = _setting(SOME_SECONDS, "Longest run of a job, unless its process says less.", default=86400.0)
    grace: float = _setting(SECONDS, "Time between asking a dismissed job to stop and killing it.", default=2.0)
    workflow_cpus: int = _setting(
        integer(1), "Processors that the steps of one workflow share.", default_factory=_processors
    )
    memory: int = _setting(BYTES, "Memory that all running jobs share.", default_factory=_physical_memory)
    memory_limit: int = _setting(BYTES, "Memory of a job; 0 for as much as all share.", default_factory=_most_of_memory)
    cpu_limit: float = _setting(SECONDS, "Processor time of a job; 0 for any.", default=0.0)
    max_work: int = _setting(BYTES, "Size of a job's working directory; 0 for any.", default=50 * 1000**3)
    max_work_files: int = _setting(integer(0), "Files in a job's working directory; 0 for any.", default=1_000_000)
    max_files: int = _setting(integer(16), "Files that a process of a job may have open.", default=4096)
    max_fetch: int = _setting(BYTES, "Largest input fetched by reference.", default=2 * 1024**3)
    allow: tuple[str, ...] = _setting(ALLOW, "Private hosts, and local files, that jobs may reach.", default=())
    max_traffic: int = _setting(BYTES, "What one job may send and receive over the network.", default=100 * 1000**3)
    upstream_proxy: str | None = _setting(
        PROXY, "Proxy by which everything but what `allow` lists is reached.", default=None, repr=False
    )
    publish_to: str | None = _setting(
        BUCKET, "Where in an object store outputs are copied to, with S3 keys of the tenant.", default=None
    )
    publish_url: str | None = _setting(
        WEB_ADDRESS, "Web address at which others find what is copied there, for links.", default=None
    )
    job_user: str | None = _setting(TEXT, "User that jobs run as when the server runs as root.", default=None)
    outputs_group: str | None = _setting(TEXT, "Group of this host that may read the results of jobs.", default=None)
    images: Path | None = _setting(FILE, "Image map: what stands for the images of packages here.", default=None)
    isolation: str = _setting(ISOLATION, "Whether tools of deployed packages must be sandboxed.", default="sandbox")
    pull_images: bool = _setting(FLAG, "Let podman or docker fetch images of deployed packages.", default=False)
    max_output: int = _setting(BYTES, "Size of a job's results, and of a file of a tool.", default=10 * 1000**3)
    max_processes: int = _setting(integer(1), "Processes and threads of a job, and of a tool in it.", default=2048)
    log_format: str = _setting(LOG_FORMAT, "What log lines are: text, or a JSON object each.", default="text")
    describe_limit: float = _setting(SOME_SECONDS, "Longest time to load and describe a process file.", default=10.0)
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
        """Settings from overrides (options of a command; None is not given), environ, geomill.toml and the defaults.

        environ: os.environ when left out. Raises SettingsError for all unknown names and malformed values at once.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        mistakes = []
        for said, value, source, base in _given(environ, overrides or {}):
            try:
                name = _known_name(said, source)
                if value != "" or not source.startswith(PREFIX):
                    values[name], sources[name] = _read(name, value, source, base), source
            except SettingsError as error:
                mistakes.append(str(error))
        if mistakes:  # who mends one wants to know of the others
            raise SettingsError("; ".join(mistakes))
        # one folder has one runtime directory, whatever links lead to it
        values["home"] = Path(os.path.realpath(values.get("home") or _default_home(environ)))
        values.setdefault("runtime_dir", _default_runtime_dir(environ, values["home"]))
        if len(os.fsencode(values["runtime_dir"])) > MAX_RUNTIME_DIR:
            source = sources.get("runtime_dir", "default")
            expected = f"a path of at most {MAX_RUNTIME_DIR} bytes, for sockets"
            raise SettingsError(f"{_label('runtime_dir', source)}: expected {expected}, found {values['runtime_dir']}")
        return cls(**values, sources=sources)

    def origins(self) -> dict[str, str]:
        """Where each value came from: "default", "GEOMILL_PORT", "geomill.toml" or "--port"."""
        return {each.name: self.sources.get(each.name, "default") for each in known()}

    def digest(self) -> str:
        """16 hex digits over what matters to jobs: equal for two servers that differ in port or title alone."""
        from hashlib import sha256

        jobs = {each.name: getattr(self, each.name) for each in known() if not each.metadata["web"]}
        return sha256(json.dumps(jobs, default=str, sort_keys=True).encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """For a child process; from_json gives the same settings back."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """What to_json wrote."""
        given = json.loads(text)
        sources = given.pop("sources")
        names = {each.name for each in known()}  # an older server may start a newer dispatcher: it is replaced at once
        values = {
            name: _read(name, value, "json", Path("/"))
            for name, value in given.items()
            if value is not None and name in names
        }
        return cls(**values, sources=sources)

    def known_to_jobs(self) -> Settings:
        """These, without what leads around a job's own way out."""
        return replace(self, upstream_proxy=None)

    def prepare_runtime_dir(self) -> Path:
        """The runtime directory, made if need be and safe to trust: a real folder of ours that nobody else may enter.

        Raises SettingsError otherwise.
        """
        path = self.runtime_dir
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not os.path.lexists(path):
                path.mkdir(mode=0o700, exist_ok=True)
            found = path.lstat()
        except OSError as error:
            raise SettingsError(f"runtime_dir: {path}: {error.strerror}") from error
        if not stat.S_ISDIR(found.st_mode):
            raise SettingsError(f"runtime_dir: {path} is a link or a file; expected a folder")
        if found.st_uid != os.geteuid():
            raise SettingsError(f"runtime_dir: {path} belongs to user {found.st_uid}, not to user {os.geteuid()}")
        if found.st_mode & 0o077:
            raise SettingsError(f"runtime_dir: {path} is open to others; chmod 700 it, or choose another")
        return path

    def check_job_user(self) -> None:
        """Raises SettingsError for a job_user who does not exist, or cannot reach the jobs in the home."""
        if self.job_user is None or os.geteuid() != 0:
            return
        import pwd

        try:
            user = pwd.getpwnam(self.job_user)
        except KeyError:
            raise SettingsError(f"job_user: there is no user {self.job_user!r} on this host") from None
        groups = os.getgrouplist(user.pw_name, user.pw_gid)
        for folder in filter(Path.exists, (*reversed(self.home.parents), self.home)):
            found = folder.stat()
            others = stat.S_IXGRP if found.st_gid in groups else stat.S_IXOTH
            of_his = stat.S_IXUSR if found.st_uid == user.pw_uid else others
            if user.pw_uid != 0 and not found.st_mode & of_his:
                raise SettingsError(f"job_user: {self.job_user} cannot enter {folder}, so his jobs could not run")

    def check_outputs_group(self) -> None:
        """Raises SettingsError for an outputs_group that does not exist, or that results cannot be given to."""
        if self.outputs_group is None:
            return
        gid = self.outputs_gid()
        if gid is None:
            raise SettingsError(f"outputs_group: there is no group {self.outputs_group!r} on this host")
        if os.geteuid() != 0 and gid not in (os.getegid(), *os.getgroups()):
            raise SettingsError(f"outputs_group: this user is no member of {self.outputs_group}, so gives it nothing")
        found = self.home.stat() if self.home.exists() else None
        if found and not found.st_mode & (stat.S_IXGRP if found.st_gid == gid else stat.S_IXOTH):
            raise SettingsError(f"outputs_group: {self.outputs_group} cannot enter {self.home}; chmod 711 it")

    def outputs_gid(self) -> int | None:
        """The id of outputs_group; None where there is none."""
        if self.outputs_group is None:
            return None
        import grp

        try:
            return grp.getgrnam(self.outputs_group).gr_gid
        except KeyError:
            return None


def known() -> list[Field[Any]]:
    """The settings, in order; metadata holds kind, unit, help and web (only web workers read it)."""
    return [each for each in fields(Settings) if each.metadata]


def _given(environ: Mapping[str, str], overrides: Mapping[str, Any]) -> Iterator[tuple[str, Any, str, Path]]:
    """(name as it was said, value, where that was, folder its relative paths start from), the strongest last.

    An empty variable has the value "".
    """
    here = Path.cwd()
    if file := settings_file(environ):
        for name, value in _toml(file).items():
            yield name, value, "geomill.toml", file.parent
    for variable, text in sorted(environ.items()):
        if variable.startswith(PREFIX) and variable not in NOT_SETTINGS:
            yield variable.removeprefix(PREFIX), text if text.strip() else "", variable, here
    for option, value in overrides.items():
        if value is not None and value != ():
            yield option, value, "--" + option.replace("_", "-"), here


def settings_file(environ: Mapping[str, str] | None = None) -> Path | None:
    """The geomill.toml that settings are read from, if any."""
    chosen = (os.environ if environ is None else environ).get("GEOMILL_CONFIG")
    file = Path.cwd() / (os.path.expanduser(chosen) if chosen else "geomill.toml")
    return file if chosen or file.exists() else None


def _toml(file: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _known_name(name: str, source: str) -> str:
    """The setting called name, in capitals in a variable. Raises SettingsError with the nearest when there is none."""
    spelled = {each.name.upper() if source.startswith(PREFIX) else each.name: each.name for each in known()}
    if name in spelled:
        return spelled[name]
    from difflib import get_close_matches

    (nearest,) = get_close_matches(name.lower(), [each.name for each in known()], n=1, cutoff=0.0)
    if source.startswith(PREFIX):
        nearest = PREFIX + nearest.upper()
    label = source if source.startswith(PREFIX) else f"{source}: {name}"
    raise SettingsError(f"{label}: expected the name of a setting, the nearest is {nearest}")


def _read(name: str, value: Any, source: str, base: Path) -> Any:
    kind: Kind = next(each.metadata["kind"] for each in known() if each.name == name)
    try:
        return kind.parse(value, base)
    except (ValueError, TypeError, KeyError) as error:
        found = "something else" if kind.secret else repr(value)
        raise SettingsError(f"{_label(name, source)}: expected {kind.expected}, found {found}") from error


def _label(name: str, source: str) -> str:
    return source if source.startswith(("--", PREFIX)) else f"{source}: {name}"


def _default_home(environ: Mapping[str, str]) -> Path:
    shared = environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(shared):  # the XDG specification: a relative one is ignored
        shared = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".local", "share")
    return Path(shared) / "geomill"


def _default_runtime_dir(environ: Mapping[str, str], home: Path) -> Path:
    from hashlib import sha256

    mark = sha256(os.fsencode(home)).hexdigest()[:8]
    return Path(f"/run/geomill-{mark}") if os.geteuid() == 0 else Path(f"/tmp/geomill-{os.geteuid()}-{mark}")
