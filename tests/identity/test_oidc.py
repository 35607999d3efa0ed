"""Tokens of an issuer: a real one, on this host, whose keys the test makes. Whatever is wrong with a token is a 401."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask.testing import FlaskClient
from identity.conftest import ASYNC, HELLO, Make, Start, bearer
from support.waiting import until

from geomill.app.config import Settings, SettingsError
from geomill.app.identity import keys
from geomill.app.server import Geomill

Json = dict[str, Any]
ECHO = "/processes/echo/execution"
RSA = {name: rsa.generate_private_key(65537, 2048) for name in ("one", "two", "stranger")}
SMALL = rsa.generate_private_key(65537, 1024)
CURVE, EDWARDS = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
BY_KIND = {
    "RS256": (RSA["one"], jwt.algorithms.RSAAlgorithm),
    "ES256": (CURVE, jwt.algorithms.ECAlgorithm),
    "EdDSA": (EDWARDS, jwt.algorithms.OKPAlgorithm),
}


def jwk(key_id: str, key: Any, algorithm: Any = jwt.algorithms.RSAAlgorithm, **more: Any) -> Json:
    """The public half of a key, as an issuer publishes it."""
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": key_id, "use": "sig", **more}


class Issuer(ThreadingHTTPServer):
    """Publishes its configuration and its keys. asked: paths, in order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.keys: list[Any] = [jwk("one", RSA["one"])]
        self.asked: list[str] = []
        self.configuration: Any = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        self.status, self.seconds = 200, 0.0
        self.raw: bytes | None = None
        self.gate = threading.Event()  # what it answers after
        self.gate.set()

    def token(self, key: Any = RSA["one"], algorithm: str = "RS256", header: Json | None = None, **claims: Any) -> str:
        """A good token, but for what is said. header: None leaves a member out, as in claims."""
        now = int(time.time())
        full = {"iss": self.url, "aud": "geomill", "sub": "ann", "iat": now, "exp": now + 300, "roles": ["executor"]}
        full = {name: value for name, value in {**full, **claims}.items() if value is not None}
        headers = {name: value for name, value in {"kid": "one", **(header or {})}.items() if value is not None}
        return jwt.encode(full, key, algorithm, headers)


class Handler(BaseHTTPRequestHandler):
    server: Issuer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        time.sleep(self.server.seconds)
        self.server.gate.wait(30)
        answer = self.server.configuration if "openid" in self.path else {"keys": self.server.keys}
        content = json.dumps(answer).encode() if self.server.raw is None else self.server.raw
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    server = Issuer()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def started(issuer: Issuer, start: Start) -> Start:
    """A server that trusts the issuer, and asks it as often as it likes."""

    def application(**changed: Any) -> Geomill:
        app = start(**{"oidc_issuer": issuer.url, "oidc_audience": "geomill", **changed})
        assert app.identity.issuer
        app.identity.issuer.keys.pause = 0.0
        return app

    return application


@pytest.fixture
def mill(started: Start) -> FlaskClient:
    return started().test_client()


def status(client: FlaskClient, token: str) -> int:
    answer = client.post(ECHO, json=HELLO, headers={**ASYNC, **bearer(token)})
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="geomill", error="invalid_token"')
        assert answer.json["type"].endswith("/problems/unauthenticated")
    return int(answer.status_code)


def test_a_good_token_is_somebody(issuer: Issuer, mill: FlaskClient) -> None:
    answer = mill.post(ECHO, json=HELLO, headers={**ASYNC, **bearer(issuer.token())})
    assert answer.status_code == 201
    assert mill.application.jobs.job(answer.json["jobID"]).owner == "oidc:ann"  # type: ignore[attr-defined]
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


@pytest.mark.parametrize("algorithm", BY_KIND)
def test_three_algorithms_are_good(issuer: Issuer, mill: FlaskClient, algorithm: str) -> None:
    key, kind = BY_KIND[algorithm]
    issuer.keys = [jwk("one", key, kind)]
    assert status(mill, issuer.token(key, algorithm)) == 201


def unsigned(issuer: Issuer, algorithm: str, signature: bytes = b"") -> str:
    """A token that says how it is signed, and is not."""
    _, claims, _ = issuer.token().split(".")
    header = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "one", "typ": "JWT"}).encode()).rstrip(b"=")
    return f"{header.decode()}.{claims}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def with_the_public_key_as_a_secret(issuer: Issuer) -> str:
    """HS256 by the text of the public key, which everybody has; made by hand, as the library refuses to."""
    import hashlib
    import hmac

    secret = RSA["one"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    content = unsigned(issuer, "HS256").rpartition(".")[0]
    signature = hmac.new(secret, content.encode(), hashlib.sha256).digest()
    return f"{content}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def flipped(token: str) -> str:
    head, claims, signature = token.split(".")
    return f"{head}.{claims}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def other_claims(issuer: Issuer) -> str:
    head, _, signature = issuer.token().split(".")
    return f"{head}.{issuer.token(sub='root', roles=['admin']).split('.')[1]}.{signature}"


NOW = time.time
MODULES = ("keys", "oidc")
WRONG: dict[str, Callable[[Issuer], str]] = {
    "alg none": lambda issuer: unsigned(issuer, "none"),
    "alg None": lambda issuer: unsigned(issuer, "None"),
    "alg NONE with a signature": lambda issuer: unsigned(issuer, "NONE", b"x" * 256),
    "no signature": lambda issuer: unsigned(issuer, "RS256"),
    "HS256 with the public key": with_the_public_key_as_a_secret,
    "RS512": lambda issuer: issuer.token(algorithm="RS512"),
    "PS256": lambda issuer: issuer.token(algorithm="PS256"),
    "key of a stranger": lambda issuer: issuer.token(RSA["stranger"]),
    "another algorithm than its key": lambda issuer: issuer.token(CURVE, "ES256"),
    "another audience": lambda issuer: issuer.token(aud="other"),
    "other audiences": lambda issuer: issuer.token(aud=["other", "geomill2"]),
    "no audience": lambda issuer: issuer.token(aud=None),
    "another issuer": lambda issuer: issuer.token(iss="https://evil.example"),
    "an issuer that begins the same": lambda issuer: issuer.token(iss=f"{issuer.url}/other"),
    "no issuer": lambda issuer: issuer.token(iss=None),
    "issuer in a list": lambda issuer: _by_hand(issuer, iss=[issuer.url]),
    "expired": lambda issuer: issuer.token(exp=int(NOW()) - 60),
    "expired long ago": lambda issuer: issuer.token(exp=1),
    "never expires": lambda issuer: issuer.token(exp=None),
    "expiry that is no number": lambda issuer: issuer.token(exp="never"),
    "not yet good": lambda issuer: issuer.token(nbf=int(NOW()) + 60),
    "issued in the future": lambda issuer: issuer.token(iat=int(NOW()) + 3600),
    "no key id": lambda issuer: issuer.token(header={"kid": None}),
    "unknown key id": lambda issuer: issuer.token(header={"kid": "other"}),
    "key id that is a path": lambda issuer: issuer.token(header={"kid": "../../../../dev/null"}),
    "critical extension": lambda issuer: issuer.token(header={"crit": ["exp"], "exp": 1}),
    "of another type": lambda issuer: issuer.token(header={"typ": "logout+jwt"}),
    "nobody": lambda issuer: issuer.token(sub=None),
    "nobody's name": lambda issuer: issuer.token(sub=""),
    "name with a line break": lambda issuer: issuer.token(sub="ann\nroot"),
    "endless name": lambda issuer: issuer.token(sub="a" * 129),
    "name that is none": lambda issuer: _by_hand(issuer, sub={"a": 1}),
    "changed signature": lambda issuer: flipped(issuer.token()),
    "changed claims": other_claims,
    "huge": lambda issuer: issuer.token(filler="x" * 7000),
    "five parts": lambda issuer: issuer.token() + ".e30.e30",
    "two parts": lambda issuer: issuer.token().rpartition(".")[0],
    "deep": lambda issuer: f"{base64.urlsafe_b64encode(b'[' * 3000).decode()}.e30.e30",
    "header that is a list": lambda issuer: f"{base64.urlsafe_b64encode(b'[]').decode()}.e30.e30",
    "header that is no JSON": lambda issuer: "AAAA.e30.e30",
    "dots": lambda issuer: "..",
    "no base64": lambda issuer: "?.?.?",
    "compressed": lambda issuer: issuer.token(header={"zip": "DEF", "typ": "JWE"}),
}


def _by_hand(issuer: Issuer, **claims: Any) -> str:
    """A well signed token with claims that the library would not write."""
    now = int(time.time())
    full = {"iss": issuer.url, "aud": "geomill", "sub": "ann", "exp": now + 300, "roles": ["executor"], **claims}
    return jwt.PyJWS().encode(json.dumps(full).encode(), RSA["one"], "RS256", {"kid": "one", "typ": "JWT"})


@pytest.mark.parametrize("what", WRONG)
def test_a_token_with_something_wrong_is_refused(issuer: Issuer, mill: FlaskClient, what: str) -> None:
    assert status(mill, issuer.token()) == 201
    assert status(mill, WRONG[what](issuer)) == 401


def test_a_token_names_no_key_of_its_own(issuer: Issuer, mill: FlaskClient) -> None:
    """jku, x5u, jwk and x5c say where a key would be; none of it is looked at, let alone fetched."""
    own = {**jwk("one", RSA["stranger"]), "use": "sig"}
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.settimeout(0.0)
        there = f"http://127.0.0.1:{canary.getsockname()[1]}/keys"
        for header in ({"jku": there}, {"x5u": there}, {"jwk": own}, {"x5c": ["AAAA"]}, {"jku": there, "kid": "other"}):
            assert status(mill, issuer.token(RSA["stranger"], header=header)) == 401
            if "kid" not in header:
                assert status(mill, issuer.token(header=header)) == 201
        with pytest.raises(BlockingIOError):
            canary.accept()


def test_keys_rotate(issuer: Issuer, mill: FlaskClient) -> None:
    assert status(mill, issuer.token()) == 201
    issuer.keys.append(jwk("two", RSA["two"]))
    assert status(mill, issuer.token(RSA["two"], header={"kid": "two"})) == 201
    issuer.keys = [jwk("three", EDWARDS, jwt.algorithms.OKPAlgorithm)]
    assert status(mill, issuer.token(EDWARDS, "EdDSA", {"kid": "three"})) == 201
    assert status(mill, issuer.token()) == 401  # a key that is withdrawn is good for nothing


def test_keys_are_asked_for_again_after_a_while(
    issuer: Issuer, mill: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert status(mill, issuer.token()) == 201
    monkeypatch.setattr(keys, "STALE", 0.0)
    issuer.keys = [jwk("two", RSA["two"])]
    end = time.monotonic() + 10
    while status(mill, issuer.token()) != 401:
        assert time.monotonic() < end


def test_unknown_keys_do_not_make_us_ask_all_the_time(issuer: Issuer, started: Start) -> None:
    app = started()
    assert app.identity.issuer
    app.identity.issuer.keys.pause = 60.0
    for number in range(20):
        assert status(app.test_client(), issuer.token(header={"kid": str(number)})) == 401
    assert len(issuer.asked) == 2


UNFIT: dict[str, Json] = {
    "secret": {"kty": "oct", "k": "AAAA", "kid": "bad", "alg": "HS256"},
    "small": jwk("bad", SMALL),
    "for encryption": jwk("bad", RSA["two"], use="enc"),
    "of another algorithm": jwk("bad", RSA["two"], alg="RS512"),
    "without an id": {name: value for name, value in jwk("bad", RSA["two"]).items() if name != "kid"},
    "malformed": {"kty": "RSA", "n": "?", "e": 5, "kid": "bad"},
}


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits long")  # when the test signs with it
@pytest.mark.parametrize("kind", UNFIT)
def test_a_key_that_is_unfit_harms_no_other(issuer: Issuer, mill: FlaskClient, kind: str) -> None:
    issuer.keys = [UNFIT[kind], None, 7, {}, *issuer.keys]
    assert status(mill, issuer.token()) == 201
    key = SMALL if kind == "small" else RSA["two"]
    assert status(mill, issuer.token(key, header={"kid": "bad"})) == 401


def test_an_issuer_that_is_down_takes_nobody_away(issuer: Issuer, mill: FlaskClient) -> None:
    assert status(mill, issuer.token()) == 201
    issuer.status = 503
    assert status(mill, issuer.token(header={"kid": "other"})) == 401
    assert status(mill, issuer.token()) == 201


BROKEN: dict[str, Json] = {
    "down": {"status": 500},
    "no JSON": {"raw": b"<html>"},
    "another thing": {"raw": b"[]"},
    "endless": {"raw": b" " * (2 * keys.LARGEST)},
    "deep": {"raw": b"[" * 100_000},
    "of another issuer": {"configuration": {"issuer": "https://evil.example"}},
    "keys at a private place": {"configuration": {"jwks_uri": "http://10.0.0.1/keys"}},
    "keys in a file": {"configuration": {"jwks_uri": "file:///etc/passwd"}},
    "no keys": {"configuration": {"jwks_uri": None}},
}


@pytest.mark.parametrize("kind", BROKEN)
def test_an_issuer_that_answers_nonsense_lets_nobody_in_and_breaks_nothing(
    issuer: Issuer, mill: FlaskClient, make: Make, kind: str
) -> None:
    for name, value in BROKEN[kind].items():
        setattr(issuer, name, {**issuer.configuration, **value} if name == "configuration" else value)
    assert status(mill, issuer.token()) == 401
    assert status(mill, make("ben")) == 201


def test_a_slow_issuer_holds_nobody_up_for_long(
    issuer: Issuer, started: Start, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "PATIENCE", 0.5)
    app, issuer.seconds = started(threads=8), 3.0
    begin = time.monotonic()
    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(status, app.test_client(), issuer.token()) for _ in range(12)]
        assert status(app.test_client(), make("ben")) == 201
        assert {answer.result() for answer in answers} == {401}
    assert time.monotonic() - begin < 2.9
    assert app.identity.issuer and app.identity.issuer.keys._over.wait(20)
    assert status(app.test_client(), issuer.token()) == 201  # once they came


def test_not_everybody_waits_for_a_slow_issuer(
    issuer: Issuer, started: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PATIENCE", "TIMEOUT"):  # or the first gives up where the host is slow
        monkeypatch.setattr(keys, name, 60.0)
    app = started(threads=2)
    issuer.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(status, app.test_client(), issuer.token())
        until(lambda: issuer.asked)
        assert status(app.test_client(), issuer.token()) == 401
        assert not first.done()
        issuer.gate.set()
        assert first.result() == 201


def test_keys_may_be_at_a_place_of_their_own(issuer: Issuer, started: Start) -> None:
    client = started(oidc_keys=f"{issuer.url}/keys").test_client()
    assert status(client, issuer.token()) == 201
    assert issuer.asked == ["/keys"]


def test_an_issuer_may_end_in_a_slash(issuer: Issuer, mill: FlaskClient) -> None:
    issuer.configuration["issuer"] = f"{issuer.url}/"
    assert status(mill, issuer.token(iss=f"{issuer.url}/")) == 201


@pytest.mark.parametrize(
    "claims, changed, expected",
    [
        ({"roles": ["reader"]}, {}, 403),
        ({"roles": ["reader", "executor"]}, {}, 201),
        ({"roles": "openid executor"}, {}, 201),
        ({"roles": None}, {}, 403),
        ({"roles": ["king"]}, {}, 403),
        ({"roles": ["none"]}, {}, 403),
        ({"roles": {"executor": True}}, {}, 403),
        ({"roles": [["executor"]]}, {}, 403),
        ({"roles": None}, {"anonymous": "executor"}, 201),
        ({"realm_access": {"roles": ["executor"]}, "roles": None}, {"oidc_role_claim": "realm_access.roles"}, 201),
        ({"https://e.org/roles": ["executor"]}, {"oidc_role_claim": "https://e.org/roles"}, 201),
        ({"groups": ["/geo/users"]}, {"oidc_role_claim": "groups", "oidc_roles": ("/geo/users=executor",)}, 201),
        ({"groups": ["executor"]}, {"oidc_role_claim": "groups", "oidc_roles": ("/geo/users=executor",)}, 403),
        ({"groups": ["a=b"]}, {"oidc_role_claim": "groups", "oidc_roles": ("a=b=executor",)}, 201),
        ({"tenants": ["default"]}, {"oidc_tenant_claim": "tenants"}, 201),
        ({"tenants": "acme default"}, {"oidc_tenant_claim": "tenants"}, 201),
        ({"tenants": ["acme"]}, {"oidc_tenant_claim": "tenants"}, 403),
        ({}, {"oidc_tenant_claim": "tenants"}, 403),
        ({"preferred_username": "ann@example.org"}, {"oidc_name_claim": "preferred_username"}, 201),
        ({}, {"oidc_name_claim": "preferred_username"}, 401),
    ],
)
def test_claims_say_what_somebody_may(
    issuer: Issuer, started: Start, claims: Json, changed: Json, expected: int
) -> None:
    assert status(started(**changed).test_client(), issuer.token(**claims)) == expected


def test_who_has_the_name_of_a_token_is_somebody_else(issuer: Issuer, mill: FlaskClient, make: Make) -> None:
    ours, theirs = bearer(make("ann")), bearer(issuer.token())
    job = mill.post(ECHO, json=HELLO, headers={**ASYNC, **ours}).json["jobID"]
    assert mill.get(f"/jobs/{job}", headers=ours).status_code == 200
    assert mill.get(f"/jobs/{job}", headers=theirs).status_code == 404
    with pytest.raises(ValueError):
        make("oidc:ann")


def test_a_server_with_an_issuer_knows_callers_without_any_token_of_ours(mill: FlaskClient) -> None:
    assert mill.post(ECHO, json=HELLO, headers=ASYNC).status_code == 401


def test_a_token_of_an_issuer_begins_no_session(issuer: Issuer, mill: FlaskClient) -> None:
    answer = mill.post("/login", data={"token": issuer.token()}, headers={"Origin": "http://localhost"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "changed, told",
    [
        ({"oidc_issuer": "https://id.example.org"}, "oidc_audience: has to name this server"),
        ({"oidc_issuer": "http://id.example.org", "oidc_audience": "x"}, "oidc_issuer: expected an https address"),
        (
            {"oidc_issuer": "https://id.example.org", "oidc_audience": "x", "oidc_keys": "http://id.example.org/k"},
            "oidc_keys: expected an https address",
        ),
    ],
)
def test_settings_that_would_not_be_safe_are_refused(start: Start, changed: Json, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        start(**changed)


@pytest.mark.parametrize("given", ["users", "users=king", "=reader", "users=reader=", "a=reader,b"])
def test_roles_that_are_none_are_refused(given: str) -> None:
    with pytest.raises(SettingsError, match="GEOMILL_OIDC_ROLES: expected roles of values"):
        Settings.load({"HOME": "/ann", "GEOMILL_OIDC_ROLES": given})


def test_roles_of_values_may_be_written_in_a_variable() -> None:
    settings = Settings.load({"HOME": "/ann", "GEOMILL_OIDC_ROLES": "/geo/users=executor, admins=admin"})
    assert settings.oidc_roles == ("/geo/users=executor", "admins=admin")


def test_an_issuer_needs_its_extra(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("geomill.app.identity.") and name[21:] in MODULES]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(SettingsError, match="oidc_issuer: needs the extra `oidc`"):
        start(oidc_issuer="https://id.example.org", oidc_audience="x")


def test_a_server_without_an_issuer_does_without_its_library(settings: Settings) -> None:
    code = "import sys; from geomill.app.identity import access; sys.exit('jwt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
