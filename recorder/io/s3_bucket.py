"""What a bucket can do to keep recordings, and how `callcore recordings init` sets it up."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from recorder.io.objects import Abilities, StoreError
from recorder.io.s3_client import Errors, S3Settings, code_of

OURS = "callcore-"  # how the ids of our rules begin; the prefix that they are for follows
ID_BYTES = 255
EXPIRES = {"Key": "callcore", "Value": "expires"}  # a legal hold takes the tag away
STALE_DAYS = 7
UNLOCKED_NONCURRENT_DAYS = 30
BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
EMPTY_MD5 = "1B2M2Y8AsgTpgAmY7PhCfg=="


@dataclass(frozen=True, slots=True)
class Wanted:
    """How long objects stay, and the cheaper classes by their age: (days, class)."""

    days: int
    tiers: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was set up: "set", "was so", or "cannot" and why."""

    what: str
    outcome: str
    why: str = ""


class Bucket:
    """All calls block; all raise StoreError when the store is away."""

    def __init__(self, client: Any, settings: S3Settings, errors: Errors) -> None:
        self._client = client
        self._settings = settings
        self._errors = errors
        self.tags_objects = True

    @property
    def _prefix(self) -> str:
        prefix = self._settings.prefix.strip("/")
        return f"{prefix}/" if prefix else ""

    # What there is -----------------------------------------------------------------------------

    def abilities(self) -> Abilities:
        """What the store does by itself now, as it tells."""
        lock = self.lock()
        rules = self._ask("get_bucket_lifecycle_configuration", "Rules") or []
        expires = [rule for rule in rules if self._expires(rule)]
        block = self._ask("get_public_access_block", "PublicAccessBlockConfiguration") or {}
        return Abilities(
            versioning=self._ask("get_bucket_versioning", "Status") == "Enabled",
            object_lock=lock,
            expires_after_days=min((r["Expiration"]["Days"] for r in expires), default=None),
            aborts_stale=any(self._aborts(rule) for rule in rules),
            public_blocked=all(block.get(name) for name in BLOCKS[1:]),
        )

    def lock(self) -> str:
        """Whether objects can be locked: "", "on", or the mode that new ones get by themselves."""
        found = self._ask("get_object_lock_configuration", "ObjectLockConfiguration") or {}
        if found.get("ObjectLockEnabled") != "Enabled":
            return ""
        return str(found.get("Rule", {}).get("DefaultRetention", {}).get("Mode", "on")).lower()

    def spares_untagged(self) -> bool:
        """Whether no rule deletes a recording of ours that has no tag, as far as we may see."""
        rules = self._ask("get_bucket_lifecycle_configuration", "Rules") or []
        return all(_plain(rule)["tags"] for rule in rules if self._expires(rule))

    def _expires(self, rule: Any) -> bool:
        """Whether it deletes recordings of ours by their age."""
        prefix = _plain(rule)["prefix"]
        ours = prefix.startswith(self._prefix) or self._prefix.startswith(prefix)
        return ours and rule["Status"] == "Enabled" and "Days" in rule.get("Expiration", {})

    def _aborts(self, rule: Any) -> bool:
        """Whether it takes all broken uploads of ours away."""
        covers: bool = self._prefix.startswith(_plain(rule)["prefix"])
        return covers and rule["Status"] == "Enabled" and "AbortIncompleteMultipartUpload" in rule

    def _is_ours(self, rule: Any) -> bool:
        """Not that of another prefix: another hotline's recordings may lie in the same bucket."""
        prefix: str = _plain(rule)["prefix"]
        return rule.get("ID", "").startswith(OURS) and prefix == self._prefix

    # Setting it up -----------------------------------------------------------------------------

    def set_up(self, wanted: Wanted) -> Iterator[Step]:
        """Each step as it is done; again and again with the same result."""
        made = self._make()
        yield made
        yield self._versioning()
        yield self._public()
        lock = self._lock(wanted.days)
        yield lock
        yield from self._lifecycle(wanted, lock.outcome != "cannot" or bool(self.lock()))
        if self._settings.sse:
            yield self._encryption()
        why = self._write()
        yield Step("a recording can be stored", "cannot" if why else "was so", why)

    def _make(self) -> Step:
        what = f"bucket {self._settings.bucket}"
        try:
            with self._errors.named("head bucket"):
                self._client.head_bucket(Bucket=self._settings.bucket)
            return Step(what, "was so")
        except StoreError as error:
            if "no such bucket" not in str(error):
                raise
        region = self._settings.region
        placed = (
            {"CreateBucketConfiguration": {"LocationConstraint": region}}
            if region not in ("", "us-east-1") and not self._settings.endpoint
            else {}
        )
        why = self.attempt("", "create_bucket", ObjectLockEnabledForBucket=True, **placed)
        if why:
            with self._errors.named("create the bucket"):
                self._client.create_bucket(Bucket=self._settings.bucket, **placed)
        return Step(what, "set", "without object lock" if why else "with object lock")

    def _versioning(self) -> Step:
        return self._step(
            "versioning",
            lambda: self._ask("get_bucket_versioning", "Status") == "Enabled",
            "put_bucket_versioning",
            VersioningConfiguration={"Status": "Enabled"},
        )

    def _lock(self, days: int) -> Step:
        """The bucket's default is for all of its prefixes: the longest of them stays."""
        mode = self._settings.object_lock.upper()
        what = f"object lock, {mode.lower()}, {days} days"
        found = self._ask("get_object_lock_configuration", "ObjectLockConfiguration") or {}
        there = found.get("Rule", {}).get("DefaultRetention", {})
        wanted = {
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": mode, "Days": max(days, there.get("Days", 0))}},
        }
        step = self._step(
            what,
            lambda: _same_lock(found, wanted),
            "put_object_lock_configuration",
            ObjectLockConfiguration=wanted,
        )
        if step.outcome == "cannot" and self.lock():
            return Step(step.what, step.outcome, f"{step.why}; each recording is locked by itself")
        return step

    def _lifecycle(self, wanted: Wanted, locked: bool) -> Iterator[Step]:
        """Rules of others stay. Where objects cannot be chosen by their tag, all of them expire."""
        there = self._ask("get_bucket_lifecycle_configuration", "Rules") or []
        others = [rule for rule in there if not self._is_ours(rule)]
        what = f"expiry after {wanted.days} days"
        promised = self._promised(there)
        shortens = promised > wanted.days  # a rule of age goes for what is there already, too
        if shortens:
            wanted = dataclasses.replace(wanted, days=promised)
        for tagged in (True, False):
            ours = rules(self._prefix, wanted, locked=locked, tagged=tagged)
            step = self._step(
                what,
                lambda ours=ours: _same_rules(there, ours),  # type: ignore[misc]
                "put_bucket_lifecycle_configuration",
                LifecycleConfiguration={"Rules": others + ours},
            )
            if step.outcome != "cannot":
                break
            self.tags_objects = False
        if shortens and step.outcome != "cannot":
            yield Step(what, "cannot", f"recordings here were promised {promised} days: it stays")
        else:
            yield step
        if step.outcome != "cannot" and not tagged:
            yield Step("expiry by tag", "cannot", "a legal hold stands on our ledger and its lock")
        for days, kind in wanted.tiers:
            yield Step(f"{kind} after {days} days", step.outcome, step.why)
        yield Step(f"stale uploads aborted after {STALE_DAYS} days", step.outcome, step.why)

    def _promised(self, there: list[Any]) -> int:
        """Days until our own rule deletes what is there; 0 without one."""
        ours = (rule for rule in there if self._is_ours(rule))
        return max((one["Expiration"]["Days"] for one in ours if self._expires(one)), default=0)

    def _public(self) -> Step:
        """As much as leaves the bucket usable: Ceph 16 refuses every upload under one of these."""
        what = "public access blocked"
        found = self._ask("get_public_access_block", "PublicAccessBlockConfiguration")
        ways = [dict.fromkeys(BLOCKS, True), {name: name != BLOCKS[0] for name in BLOCKS}]
        told = ["", f"but for {BLOCKS[0]}, under which nothing can be stored"]
        if found in ways:
            return Step(what, "was so", told[ways.index(found)])
        for wanted, but in zip(ways, told, strict=True):
            why = self.attempt(
                what, "put_public_access_block", PublicAccessBlockConfiguration=wanted
            )
            if why:
                return Step(what, "cannot", why)
            if not self._write():
                return Step(what, "set", but)
        self.attempt(what, "delete_public_access_block")
        return Step(what, "cannot", "nothing could be stored under it: it was taken back")

    def _write(self) -> str:
        """Whether an object can be written: "", or why not. It is taken away again."""
        locked: dict[str, Any] = {}
        if self.lock():  # else it would stay as long as a recording
            until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60)
            locked = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
        name = f"{self._prefix}.probe"
        why = self.attempt(
            "write", "put_object", Key=name, Body=b"", ContentMD5=EMPTY_MD5, **locked
        )
        self.attempt("delete", "delete_object", Key=name)
        return why

    def _encryption(self) -> Step:
        default = {"SSEAlgorithm": self._settings.sse}
        if self._settings.sse_key:
            default["KMSMasterKeyID"] = self._settings.sse_key
        return self._step(
            f"encryption {self._settings.sse}",
            lambda: False,
            "put_bucket_encryption",
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": default}]
            },
        )

    def _step(self, what: str, is_so: Callable[[], bool], call: str, **arguments: Any) -> Step:
        if is_so():
            return Step(what, "was so")
        why = self.attempt(what, call, **arguments)
        return Step(what, "cannot", why) if why else Step(what, "set")

    def attempt(self, doing: str, call: str, **arguments: Any) -> str:
        """Does it, or says why the store refuses; raises StoreError when it is away."""
        from botocore.exceptions import ClientError

        arguments = {"Bucket": self._settings.bucket, **arguments}
        with self._errors.named(doing):
            try:
                getattr(self._client, call)(**arguments)
            except ClientError as error:
                if _is_away(error):
                    raise
                return f"the store refuses it ({code_of(error)})"
        return ""

    def _ask(self, call: str, member: str) -> Any:
        """A part of the bucket's configuration; None where there is none, or we may not see it."""
        from botocore.exceptions import ClientError

        with self._errors.named(call.replace("_", " ")):
            try:
                return getattr(self._client, call)(Bucket=self._settings.bucket).get(member)
            except ClientError as error:
                if _is_away(error):
                    raise
                return None


def rules(prefix: str, wanted: Wanted, *, locked: bool, tagged: bool) -> list[dict[str, Any]]:
    """Our lifecycle rules: expiry and tiers by age, then what else lies about in the bucket.

    Old versions go at once where objects are locked, for the locked ones stay; else they are what
    is left of a recording that somebody deleted, and wait.
    """
    chosen: dict[str, Any] = {"Prefix": prefix}
    if tagged:
        chosen = {"And": {"Prefix": prefix, "Tags": [EXPIRES]}}
    expire: dict[str, Any] = {
        "ID": _id("expire", prefix),
        "Status": "Enabled",
        "Filter": chosen,
        "Expiration": {"Days": wanted.days},
    }
    if wanted.tiers:
        expire["Transitions"] = [
            {"Days": days, "StorageClass": kind} for days, kind in wanted.tiers
        ]
    tidy = {
        "ID": _id("tidy", prefix),
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "NoncurrentVersionExpiration": {
            "NoncurrentDays": 1 if locked else UNLOCKED_NONCURRENT_DAYS
        },
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": STALE_DAYS},
    }
    return [expire, tidy]


def _id(what: str, prefix: str) -> str:
    """Each prefix has rules of its own: with one id for all, the last to come would be the only."""
    name = f"{OURS}{what}:{prefix}" if prefix else f"{OURS}{what}"
    if len(name.encode()) <= ID_BYTES:
        return name
    return f"{OURS}{what}:{hashlib.sha256(prefix.encode()).hexdigest()}"


def _is_away(error: Any) -> bool:
    """Not a matter of what it can do: it is in trouble, or the bucket or the key is wrong."""
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return (status >= 500 and status != 501) or code_of(error) in (
        "NoSuchBucket",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "SlowDown",
        "RequestTimeTooSkewed",
    )


def _same_lock(found: Any, wanted: Any) -> bool:
    return bool(found) and all(found.get(name) == value for name, value in wanted.items())


def _same_rules(there: list[Any], ours: list[Any]) -> bool:
    found = {rule.get("ID"): _plain(rule) for rule in there}
    return all(found.get(rule["ID"]) == _plain(rule) for rule in ours)


def _plain(rule: Any) -> Any:
    """Stores give the same filter back in several ways."""
    chosen = rule.get("Filter", {})
    chosen = chosen.get("And", chosen)
    tags = chosen.get("Tags") or ([chosen["Tag"]] if "Tag" in chosen else [])
    rest = {name: value for name, value in rule.items() if name not in ("Filter", "Prefix")}
    return rest | {"prefix": chosen.get("Prefix", rule.get("Prefix", "")), "tags": tags}
