"""An object store on a loopback address, that checks signatures and rights as AWS does: moto, in its own process."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from support.waiting import until

READ_AND_WRITE = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}


@dataclass(frozen=True)
class Store:
    """The store. url: its address, at: host and port of it; key_id, secret: of one who may do everything in buckets."""

    url: str
    key_id: str
    secret: str
    allowed: tuple[str, str] | None = None  # keys of one who may do what `limited` said

    @property
    def at(self) -> str:
        return self.url.removeprefix("http://")

    @property
    def client(self) -> Any:
        """A client of the one who may do everything."""
        return client("s3", self.url, self.key_id, self.secret)


def client(service: str, url: str, key_id: str = "any", secret: str = "any") -> Any:
    config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0})
    return boto3.client(
        service, endpoint_url=url, region_name="us-east-1", aws_access_key_id=key_id, aws_secret_access_key=secret,
        config=config,
    )  # fmt: skip


@contextmanager
def store(*buckets: str, limited: dict[str, Any] | None = None) -> Iterator[Store]:
    """A store with some buckets. limited: a statement of a policy, for a second user."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with tempfile.TemporaryFile() as log:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", url.rpartition(":")[2]]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            until(lambda: _answers(url), 60)
            keys = [_user(url, name, policy) for name, policy in (("all", READ_AND_WRITE), ("few", limited)) if policy]
            for bucket in buckets:
                client("s3", url).create_bucket(Bucket=bucket)
            from_now_on = urllib.request.Request(
                f"{url}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"}, method="POST"
            )
            urllib.request.urlopen(from_now_on).close()
            yield Store(url, *keys[0], allowed=keys[1] if limited else None)
        finally:
            process.terminate()
            process.wait(30)


def _user(url: str, name: str, statement: dict[str, Any]) -> tuple[str, str]:
    iam = client("iam", url)
    iam.create_user(UserName=name)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/moto-api/").close()
    except OSError:
        return False
    return True
