"""The lifecycle rules of a bucket: ours as they are written, and any as a store gives them back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

OURS = "callcore-"  # how the ids of our rules begin; the prefix that they are for follows
ID_BYTES = 255
EXPIRES = {"Key": "callcore", "Value": "expires"}  # a legal hold takes the tag away
YEARS = "2"  # how the names of recordings begin, by their year; those of custody do not
STALE_DAYS = 7
UNLOCKED_NONCURRENT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Wanted:
    """How long objects stay, and the cheaper classes by their age: (days, class)."""

    days: int
    tiers: tuple[tuple[int, str], ...] = ()


def rules(prefix: str, wanted: Wanted, *, locked: bool, tagged: bool) -> list[dict[str, Any]]:
    """Our lifecycle rules: expiry and tiers by age, then what else lies about in the bucket.

    Old versions go at once where objects are locked, for the locked ones stay; else they are what
    is left of a recording that somebody deleted, and wait.
    """
    chosen: dict[str, Any] = {"Prefix": prefix + YEARS}  # tombstones have no tag, and stay
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


def same_rules(there: list[Any], ours: list[Any]) -> bool:
    found = {rule.get("ID"): plain(rule) for rule in there}
    return all(found.get(rule["ID"]) == plain(rule) for rule in ours)


def plain(rule: Any) -> Any:
    """Stores give the same filter back in several ways."""
    chosen = rule.get("Filter", {})
    chosen = chosen.get("And", chosen)
    tags = chosen.get("Tags") or ([chosen["Tag"]] if "Tag" in chosen else [])
    rest = {name: value for name, value in rule.items() if name not in ("Filter", "Prefix")}
    return rest | {"prefix": chosen.get("Prefix", rule.get("Prefix", "")), "tags": tags}
