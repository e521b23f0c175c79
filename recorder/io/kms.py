"""The master keys of a configuration: our own, those of a service, and the old ones."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from recorder.cipher import Tampered
from recorder.io.objects import StoreError
from recorder.keys import KeyRing, LocalKey, MasterKey, parse_key

AWS = "aws:"


@dataclass(frozen=True, slots=True)
class KeySettings:
    """`key` and `old_keys` in base64; `kms` is aws:KEY or MODULE:CLASS, and comes before `key`."""

    key: str = field(default="", repr=False)
    old_keys: tuple[str, ...] = field(default=(), repr=False)
    kms: str = ""
    region: str = ""
    kms_endpoint: str = ""


def open_keys(settings: KeySettings) -> KeyRing:
    """Connects to nothing; raises ValueError."""
    keys: list[MasterKey] = []
    if settings.kms:
        keys.append(_service(settings))
    own = [settings.key] if settings.key else []
    keys += [LocalKey(parse_key(text), os.urandom) for text in (*own, *settings.old_keys)]
    # Old keys alone wrap nothing: then the store encrypts what is new.
    return KeyRing(keys, wrapping=bool(settings.kms or settings.key))


def _service(settings: KeySettings) -> MasterKey:
    if settings.kms.startswith(AWS):
        name = settings.kms.removeprefix(AWS)
        return AwsKms(name, settings.region, settings.kms_endpoint)
    module, _, name = settings.kms.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(
            f"recordings.kms {settings.kms!r}: {error}; allowed is MODULE:CLASS, a class that is "
            "made without arguments and has key_id, wrap and unwrap"
        ) from error
    if missing := [each for each in _wanted() if not hasattr(made, each)]:
        raise ValueError(f"recordings.kms {settings.kms!r} has no {', '.join(missing)}")
    return cast(MasterKey, made)


def _wanted() -> Iterable[str]:
    return ("key_id", "wrap", "unwrap")


class AwsKms:
    """A key of AWS KMS, or of what speaks its interface; keys as boto3 finds them."""

    def __init__(self, name: str, region: str = "", endpoint: str = "") -> None:
        self.key_id = f"{AWS}{name}"
        self._name = name
        self._where = {"region_name": region or None, "endpoint_url": endpoint or None}
        self._made: Any = None

    def wrap(self, data_key: bytes, context: str) -> bytes:
        answer = self._ask("encrypt", Plaintext=data_key, EncryptionContext={"recording": context})
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        answer = self._ask(
            "decrypt", CiphertextBlob=wrapped, EncryptionContext={"recording": context}
        )
        return bytes(answer["Plaintext"])

    def _ask(self, what: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        # An alias may be given to a new key: what the old one wrapped names that one itself.
        if what == "encrypt" or not self._name.startswith("alias/"):
            arguments["KeyId"] = self._name
        try:
            return getattr(self._client(), what)(**arguments)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            if code in ("InvalidCiphertextException", "IncorrectKeyException"):
                raise Tampered(f"its data key was not wrapped by {self.key_id} for it") from None
            raise StoreError(f"{self.key_id}: cannot {what} a data key ({code})") from None
        except BotoCoreError as error:
            why = f"it does not answer ({type(error).__name__})"
            raise StoreError(f"{self.key_id}: {why}: check the network and its keys") from None

    def _client(self) -> Any:
        if self._made is None:
            import boto3

            self._made = boto3.session.Session().client("kms", **self._where)
        return self._made
