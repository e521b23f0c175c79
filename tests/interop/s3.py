"""moto's S3 in a process of its own: a store that can come late, and go."""

import asyncio
import sys
from typing import Any, Self

import boto3
from botocore.config import Config

from phones.lifetime import bound
from phones.sipp import free_port
from tests.interop.hotline import eventually

BUCKET = "hotline"
REGION = "us-east-1"
KEYS = {"access_key": "key", "secret_key": "secret"}


class S3:
    """`async with` starts it and makes the bucket; `recordings` is the configuration's table."""

    def __init__(self) -> None:
        self.port = free_port("tcp")
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._process: asyncio.subprocess.Process

    @property
    def recordings(self) -> dict[str, str]:
        where = {"store": f"s3://{BUCKET}/calls", "endpoint": self.endpoint, "region": REGION}
        return {**where, **KEYS}

    async def __aenter__(self) -> Self:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = await asyncio.create_subprocess_exec(
            *bound(command), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        await eventually(self._listens, 20)
        await asyncio.to_thread(self.client().create_bucket, Bucket=BUCKET)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.kill()
        await self._process.wait()

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=KEYS["access_key"],
            aws_secret_access_key=KEYS["secret_key"],
            config=Config(s3={"addressing_style": "path"}),
        )

    async def objects(self) -> dict[str, bytes]:
        """All objects of the bucket by their keys."""

        def fetch() -> dict[str, bytes]:
            client = self.client()
            listed = client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
            return {
                one["Key"]: client.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read()
                for one in listed
            }

        return await asyncio.to_thread(fetch)
