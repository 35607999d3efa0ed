"""A certificate authority for tests, and certificates of it."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest


def context(folder: Path, *names: str) -> tuple[ssl.SSLContext, Path]:
    """What a server for these names speaks TLS with, and the file that whoever trusts it needs (SSL_CERT_FILE)."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    options = ["-nodes", "-newkey", "rsa:2048", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"]
    alternatives = ",".join(f"{'IP' if name[0].isdigit() else 'DNS'}:{name}" for name in names)
    subject = ["-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={alternatives}"]
    subprocess.run([openssl, "req", "-x509", *options, *subject], cwd=folder, check=True, capture_output=True)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return made, folder / "cert.pem"
