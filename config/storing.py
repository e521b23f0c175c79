"""The keys of [recordings] that say where recordings go, who can read them, and who deletes."""

import base64
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from config.fields import parsed
from config.secret import Secret
from config.table import Allowed, Table
from config.values import Store

StoreUrl = Annotated[
    Store,
    parsed(Store.parse, Store),
    Allowed("file:FOLDER or s3://BUCKET/PREFIX"),
]


def _encryption_key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text and len(base64.b64decode(text, validate=True)) != 32:
        raise ValueError("not 32 bytes")
    return value


EncryptionKey = Annotated[
    Secret, AfterValidator(_encryption_key), Allowed("32 bytes in base64, or empty")
]


class Tier(Table):
    """A cheaper class of storage, from an age on."""

    after_days: int = Field(ge=1, le=36_500, description="the age")
    storage_class: str = Field(
        pattern=r"^[A-Z0-9_]{1,40}$",
        description="the store's name for it, as STANDARD_IA or ARCHIVE",
    )


class Storing(Table):
    """Where recordings go, who can read them, and who deletes them."""

    store: StoreUrl = Field(
        default=Store("file", path="recordings"), description="where sealed recordings are kept"
    )
    endpoint: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="S3 endpoint other than AWS",
        json_schema_extra={"allowed": "an http:// or https:// address, or empty"},
    )
    region: str = Field(default="", description="S3 region")
    access_key: Secret = Field(default=SecretStr(""), description="S3 access key")
    secret_key: Secret = Field(default=SecretStr(""), description="S3 secret key")
    addressing: Literal["auto", "path", "virtual"] = Field(
        default="auto",
        description="how the bucket is named in addresses: as a path or as a host; "
        "auto = a path with an endpoint of its own, else as AWS likes it",
    )
    checksum: Literal["md5", "sha256", "none"] = Field(
        default="md5",
        description="what the store checks uploads by: Content-MD5, which all know; the newer "
        "x-amz-checksum-sha256; or nothing. We check the hash ourselves in any case",
    )
    part_mib: int = Field(
        default=8, ge=5, le=512, description="longer recordings are uploaded in parts of this size"
    )
    sse: Literal["", "AES256", "aws:kms"] = Field(
        default="", description="encryption at rest that is asked of the store itself"
    )
    sse_key: str = Field(default="", description="the store's name of its key, with aws:kms")
    object_lock: Literal["compliance", "governance"] = Field(
        default="compliance",
        description="how recordings are locked until their retention date in a bucket that can: "
        "compliance = by nobody at all to be deleted, governance = by whoever has that right",
    )
    tiers: Annotated[tuple[Tier, ...], Field(strict=False)] = Field(
        default=(), description="cheaper classes of storage by age, set by `recordings init`"
    )
    key: EncryptionKey = Field(
        default=SecretStr(""),
        description="encryption key (`callcore recordings key new`); empty = the store's own "
        "encryption",
    )
    old_keys: Annotated[tuple[EncryptionKey, ...], Field(strict=False)] = Field(
        default=(), description="keys that older recordings were encrypted with"
    )
    kms: str = Field(
        default="",
        pattern=r"^(aws:\S+|[A-Za-z_][\w.]*:[A-Za-z_]\w*)?$",
        description="a key management service in place of `key`: aws:KEY, or a class of your own",
        json_schema_extra={"allowed": "aws:KEY, MODULE:CLASS, or empty"},
    )
    guard_per_day: float = Field(
        default=4,
        ge=0,
        le=10_000,
        description="so many recordings a day are taken at random, fetched and played; 0 = none",
    )
