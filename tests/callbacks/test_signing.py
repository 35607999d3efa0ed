"""Signatures, as a library of receivers checks them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from geomill.app.callbacks.signing import Signing

BODY = '{"result": "Zürich"}'.encode()


def test_a_receiver_finds_that_it_is_ours(tmp_path: Path) -> None:
    signing = Signing(tmp_path)
    headers = signing.headers("default", "ann", "a-success", int(time.time()), BODY)
    assert Webhook(signing.secret("default", "ann")).verify(BODY.decode(), headers) == {"result": "Zürich"}


def test_another_process_knows_the_same_secret(tmp_path: Path) -> None:
    assert Signing(tmp_path).secret("default", "ann") == Signing(tmp_path).secret("default", "ann")
    assert (tmp_path / "identity" / "callbacks.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("tenant", "owner"), [("default", "bob"), ("acme", "ann"), ("default", "")])
def test_the_secret_of_another_is_of_no_use(tmp_path: Path, tenant: str, owner: str) -> None:
    signing = Signing(tmp_path)
    headers = signing.headers("default", "ann", "a-success", int(time.time()), BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.secret(tenant, owner)).verify(BODY.decode(), headers)


def test_nothing_can_be_moved_from_one_name_to_another(tmp_path: Path) -> None:
    """What is signed cannot be read in two ways."""
    signing = Signing(tmp_path)
    assert signing.secret("a", "b c") != signing.secret("a b", "c")


def test_a_changed_body_or_an_old_one_is_found(tmp_path: Path) -> None:
    signing = Signing(tmp_path)
    receiver = Webhook(signing.secret("default", "ann"))
    headers = signing.headers("default", "ann", "a-success", int(time.time()), BODY)
    with pytest.raises(WebhookVerificationError):
        receiver.verify(BODY.decode() + " ", headers)
    with pytest.raises(WebhookVerificationError):
        receiver.verify(BODY.decode(), signing.headers("default", "ann", "a-success", int(time.time()) - 3600, BODY))
