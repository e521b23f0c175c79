"""moto's S3 in a process of its own, with one bucket: for benchmarks of the recorder."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import boto3

from phones.lifetime import bound
from phones.sipp import free_port

KEYS = {"access_key": "who", "secret_key": "secret", "region": "us-east-1"}


@contextlib.contextmanager
def s3_server(bucket: str) -> Iterator[int]:
    """Its port on 127.0.0.1."""
    port = free_port("tcp")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(bound(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        client_of(f"http://127.0.0.1:{port}").create_bucket(Bucket=bucket)
        yield port
    finally:
        server.kill()
        server.wait()


def client_of(endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=KEYS["region"],
        aws_access_key_id=KEYS["access_key"],
        aws_secret_access_key=KEYS["secret_key"],
    )


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("the S3 server does not come up")
