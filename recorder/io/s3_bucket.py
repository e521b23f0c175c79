"""What a bucket can do to keep recordings, and how `callcore recordings init` sets it up."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from recorder.io.objects import Abilities, StoreError
from recorder.io.s3_client import Errors, S3Settings, code_of
from recorder.io.s3_rules import OURS, STALE_DAYS, YEARS, Wanted, plain, rules, same_rules

BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
EMPTY_MD5 = "1B2M2Y8AsgTpgAmY7PhCfg=="


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was set up: "set", "was so", or "cannot" and why."""

    what: str
    outcome: str
    why: str = ""


class Hidden(StoreError):
    """What the bucket is set to may not be seen: then nothing of it may be replaced either."""

    def __init__(self, message: str) -> None:
        super().__init__(message, store_away=False)


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
            nested=self._nested(rules),
        )

    def lock(self) -> str:
        """Whether objects can be locked: "", "on", or the mode that new ones get by themselves."""
        found = self._ask("get_object_lock_configuration", "ObjectLockConfiguration") or {}
        if found.get("ObjectLockEnabled") != "Enabled":
            return ""
        return str(found.get("Rule", {}).get("DefaultRetention", {}).get("Mode", "on")).lower()

    def spares_untagged(self) -> bool:
        """Whether no rule deletes a recording that has no tag; False where none is shown."""
        try:
            rules = self._read("get_bucket_lifecycle_configuration", "Rules") or []
        except Hidden:
            return False
        return all(plain(rule)["tags"] for rule in rules if self._expires(rule))

    def _expires(self, rule: Any) -> bool:
        """Whether it deletes recordings of ours by their age."""
        prefix = plain(rule)["prefix"]
        ours = prefix.startswith(self._prefix) or self._prefix.startswith(prefix)
        return ours and rule["Status"] == "Enabled" and "Days" in rule.get("Expiration", {})

    def _aborts(self, rule: Any) -> bool:
        """Whether it takes all broken uploads of ours away."""
        covers: bool = self._prefix.startswith(plain(rule)["prefix"])
        return covers and rule["Status"] == "Enabled" and "AbortIncompleteMultipartUpload" in rule

    def _is_ours(self, rule: Any) -> bool:
        """Not that of another prefix: another hotline's recordings may lie in the same bucket."""
        prefix: str = plain(rule)["prefix"]
        same = prefix in (self._prefix, self._prefix + YEARS)
        return rule.get("ID", "").startswith(OURS) and same

    def _nested(self, rules: list[Any]) -> tuple[str, ...]:
        """Other prefixes with rules of this program, of which one begins with the other."""
        found = {
            plain(rule)["prefix"].removesuffix(YEARS)
            for rule in rules
            if rule.get("ID", "").startswith(OURS) and not self._is_ours(rule)
        }
        ours = self._prefix
        both = (one for one in found if one.startswith(ours) or ours.startswith(one))
        return tuple(sorted(one or "(none)" for one in both))

    # Setting it up -----------------------------------------------------------------------------

    def set_up(self, wanted: Wanted) -> Iterator[Step]:
        """Each step as it is done; again and again with the same result.

        Raises StoreError, before anything is changed, where another hotline's prefix is nested.
        """
        made = self._make()
        yield made
        self._refuse_nested()
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

    def _refuse_nested(self) -> None:
        nested = self._nested(self._ask("get_bucket_lifecycle_configuration", "Rules") or [])
        if nested:
            raise StoreError(
                f"{self._errors.where}: the prefix {', '.join(nested)} of another hotline lies in "
                f"{self._prefix or 'the whole bucket'} or around it, and each one's rules would "
                "act on the other's recordings: choose a prefix beside it for recordings.store, or "
                "another bucket",
                store_away=False,
            )

    def _versioning(self) -> Step:
        return self._step(
            "versioning",
            lambda: self._ask("get_bucket_versioning", "Status") == "Enabled",
            "put_bucket_versioning",
            VersioningConfiguration={"Status": "Enabled"},
        )

    def _lock(self, days: int) -> Step:
        """The bucket's default is for all of its prefixes: the longest and the strictest stay."""
        mode = self._settings.object_lock.upper()
        what = f"object lock, {mode.lower()}, {days} days"
        try:
            found = self._read("get_object_lock_configuration", "ObjectLockConfiguration") or {}
        except Hidden as error:
            return Step(what, "cannot", f"{error}; each recording is locked by itself")
        default, why = _stricter(found.get("Rule", {}).get("DefaultRetention", {}), mode, days)
        wanted = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": default}}
        step = self._step(
            what,
            lambda: _same_lock(found, wanted),
            "put_object_lock_configuration",
            ObjectLockConfiguration=wanted,
        )
        if step.outcome == "cannot" and self.lock():
            return Step(step.what, step.outcome, f"{step.why}; each recording is locked by itself")
        return Step(step.what, step.outcome, step.why or why)

    def _lifecycle(self, wanted: Wanted, locked: bool) -> Iterator[Step]:
        """Rules of others stay. Where objects cannot be chosen by their tag, all of them expire."""
        what = f"expiry after {wanted.days} days"
        try:
            there = self._read("get_bucket_lifecycle_configuration", "Rules") or []
        except Hidden as error:  # to write ours would be to delete those of others
            yield Step(what, "cannot", str(error))
            return
        others = [rule for rule in there if not self._is_ours(rule)]
        promised = self._promised(there)
        shortens = promised > wanted.days  # a rule of age goes for what is there already, too
        if shortens:
            wanted = dataclasses.replace(wanted, days=promised)
        for tagged in (True, False):
            ours = rules(self._prefix, wanted, locked=locked, tagged=tagged)
            step = self._step(
                what,
                lambda ours=ours: same_rules(there, ours),  # type: ignore[misc]
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
        if found:
            self.attempt(what, "put_public_access_block", PublicAccessBlockConfiguration=found)
        else:
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
        try:
            return self._read(call, member)
        except Hidden:
            return None

    def _read(self, call: str, member: str) -> Any:
        """The same; raises Hidden where we may not see it."""
        from botocore.exceptions import ClientError

        with self._errors.named(call.replace("_", " ")):
            try:
                return getattr(self._client, call)(Bucket=self._settings.bucket).get(member)
            except ClientError as error:
                if _is_away(error):
                    raise
                code = code_of(error)
                if code != "AccessDenied" and _status_of(error) != 403:
                    return None
        what = call.removeprefix("get_").replace("_", " ")
        raise Hidden(f"the key may not see the {what} that is there ({code})")


def _status_of(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _is_away(error: Any) -> bool:
    """Not a matter of what it can do: it is in trouble, or the bucket or the key is wrong."""
    status = _status_of(error)
    return (status >= 500 and status != 501) or code_of(error) in (
        "NoSuchBucket",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "SlowDown",
        "RequestTimeTooSkewed",
    )


def _stricter(there: Any, mode: str, days: int) -> tuple[dict[str, Any], str]:
    """The default of a bucket that shortens nothing and weakens nothing, and why it is not ours."""
    strict = there.get("Mode") == "COMPLIANCE" != mode
    years = int(there.get("Years", 0))
    longer = there.get("Days", 0) > days or 365 * years >= days
    term = {"Years": years} if years and longer else {"Days": max(days, there.get("Days", 0))}
    told = ", ".join(f"{count} {unit.lower()}" for unit, count in term.items())
    why = f"{there['Mode'].lower()}, {told} of the whole bucket stay" if strict or longer else ""
    return {"Mode": "COMPLIANCE" if strict else mode, **term}, why


def _same_lock(found: Any, wanted: Any) -> bool:
    return bool(found) and all(found.get(name) == value for name, value in wanted.items())
