"""How a bucket is set up: again and again, and nothing of others is shortened or taken away."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from s3_house import store_of

from recorder.io.s3_rules import Wanted, rules
from recorder.io.store import StoreError


def days_of(client, name: str) -> int:
    rules = client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    (rule,) = (rule for rule in rules if rule["ID"] == "callcore-expire:calls/")
    return rule["Expiration"]["Days"]


def test_a_bucket_is_set_up_once_and_again_and_rules_of_others_stay(proxy, bucket):
    name, client = bucket
    other = {
        "ID": "theirs",
        "Status": "Enabled",
        "Filter": {"Prefix": "logs/"},
        "Expiration": {"Days": 30},
    }
    client.put_bucket_lifecycle_configuration(
        Bucket=name, LifecycleConfiguration={"Rules": [other]}
    )
    wanted = Wanted(366, ((30, "STANDARD_IA"), (90, "GLACIER")))
    store = store_of(proxy, f"{name}-new")
    first = {step.what: step.outcome for step in store.bucket.set_up(wanted)}
    assert first[f"bucket {name}-new"] == "set"
    # moto knows no lock by default, only that of each object; Ceph does (test_radosgw.py).
    lock = {"object lock, compliance, 366 days": "cannot"}
    assert {what for what, outcome in first.items() if outcome == "cannot"} == set(lock)
    abilities = store.abilities()
    assert abilities.warnings(366) == ()
    assert abilities.expires_after_days == 366
    second = {step.what: step.outcome for step in store.bucket.set_up(wanted)}
    assert second == dict.fromkeys(first, "was so") | lock
    old = store_of(proxy, name)
    list(old.bucket.set_up(wanted))
    rules = client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert [rule["ID"] for rule in rules] == [
        "theirs",
        "callcore-expire:calls/",
        "callcore-tidy:calls/",
    ]
    assert [one["Days"] for one in rules[1]["Transitions"]] == [30, 90]
    assert "logs" not in str(old.abilities())


def ids_and_days(client, name: str) -> dict[str, int | None]:
    rules = client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    return {rule["ID"]: rule["Expiration"].get("Days") for rule in rules}


@pytest.mark.parametrize("second", ["court", "c" * 300])
def test_each_prefix_of_a_bucket_has_rules_of_its_own(proxy, bucket, second):
    name, client = bucket
    first, other = store_of(proxy, name), store_of(proxy, name, prefix=second)
    list(first.bucket.set_up(Wanted(400)))
    assert first.abilities().expires_after_days == 400
    assert "no rule of its deletes recordings after their time" in other.abilities().warnings(0)
    assert not other.abilities().aborts_stale
    list(other.bucket.set_up(Wanted(700)))
    found = ids_and_days(client, name)
    assert found["callcore-expire:calls/"] == 400
    assert sorted(days for days in found.values() if days) == [400, 700]
    assert len(found) == 4
    assert max(map(len, found)) <= 255
    # Each again, the first with more days, and the other's stay as they were.
    list(first.bucket.set_up(Wanted(500)))
    list(other.bucket.set_up(Wanted(700)))
    assert ids_and_days(client, name) == found | {"callcore-expire:calls/": 500}


def test_rules_of_an_older_version_are_taken_over_where_they_are_for_our_prefix(proxy, bucket):
    name, client = bucket
    old = rules("calls/", Wanted(366), locked=False, tagged=True)
    for rule in old:
        rule["ID"] = rule["ID"].partition(":")[0]
    theirs = rules("court/", Wanted(800), locked=False, tagged=True)
    client.put_bucket_lifecycle_configuration(
        Bucket=name, LifecycleConfiguration={"Rules": theirs + old}
    )
    list(store_of(proxy, name).bucket.set_up(Wanted(366)))
    assert list(ids_and_days(client, name)) == [
        *(rule["ID"] for rule in theirs),
        "callcore-expire:calls/",
        "callcore-tidy:calls/",
    ]


def test_a_shorter_retention_does_not_shorten_what_was_promised(proxy, bucket):
    name, client = bucket
    store = store_of(proxy, name)
    list(store.bucket.set_up(Wanted(1095)))
    for _ in range(2):
        steps = {step.what: step for step in store.bucket.set_up(Wanted(366, ((30, "GLACIER"),)))}
        kept = steps["expiry after 366 days"]
        assert (kept.outcome, kept.why) == (
            "cannot",
            "recordings here were promised 1095 days: it stays",
        )
        assert steps["GLACIER after 30 days"].outcome != "cannot"
        assert days_of(client, name) == 1095
    steps = {step.what: step.outcome for step in store.bucket.set_up(Wanted(2000))}
    assert steps["expiry after 2000 days"] == "set"
    assert days_of(client, name) == 2000


def test_a_bucket_as_it_is_says_what_it_does_not_do(proxy, bucket):
    told = store_of(proxy, bucket[0]).abilities().warnings(366)
    assert len(told) == 5
    assert any("only our own ledger refuses early deletion" in one for one in told)


def denied(store, monkeypatch, *calls):
    """The key may write these, and not see them: two rights at AWS."""

    def refuse(**_):
        error = {"Error": {"Code": "AccessDenied"}}
        raise ClientError(error | {"ResponseMetadata": {"HTTPStatusCode": 403}}, "Get")

    for call in calls:
        monkeypatch.setattr(store._client, call, refuse)


def test_rules_that_may_not_be_seen_are_not_written_over(proxy, bucket, monkeypatch):
    name, client = bucket
    theirs = rules("court/", Wanted(800), locked=False, tagged=True)
    client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": theirs})
    store = store_of(proxy, name)
    denied(store, monkeypatch, "get_bucket_lifecycle_configuration")
    steps = {step.what: step for step in store.bucket.set_up(Wanted(366))}
    expiry = steps["expiry after 366 days"]
    assert expiry.outcome == "cannot"
    assert "may not see the bucket lifecycle configuration" in expiry.why
    assert list(ids_and_days(client, name)) == [rule["ID"] for rule in theirs]
    assert not store.bucket.spares_untagged()


@pytest.mark.parametrize(
    ("there", "mode", "wanted"),
    [
        ({}, "GOVERNANCE", {"Mode": "GOVERNANCE", "Days": 366}),
        ({"Mode": "GOVERNANCE", "Days": 30}, "COMPLIANCE", {"Mode": "COMPLIANCE", "Days": 366}),
        ({"Mode": "COMPLIANCE", "Years": 7}, "COMPLIANCE", {"Mode": "COMPLIANCE", "Years": 7}),
        ({"Mode": "COMPLIANCE", "Years": 1}, "COMPLIANCE", {"Mode": "COMPLIANCE", "Days": 366}),
        ({"Mode": "COMPLIANCE", "Days": 900}, "GOVERNANCE", {"Mode": "COMPLIANCE", "Days": 900}),
    ],
)
def test_a_bucket_s_lock_is_never_made_shorter_or_weaker(
    proxy, bucket, monkeypatch, there, mode, wanted
):
    store = store_of(proxy, bucket[0], object_lock=mode.lower())
    found = {"ObjectLockEnabled": "Enabled"} | (
        {"Rule": {"DefaultRetention": there}} if there else {}
    )
    put = []
    monkeypatch.setattr(
        store._client,
        "get_object_lock_configuration",
        lambda **_: {"ObjectLockConfiguration": found},
    )
    monkeypatch.setattr(
        store._client, "put_object_lock_configuration", lambda **named: put.append(named)
    )
    step = store.bucket._lock(366)
    written = put[0]["ObjectLockConfiguration"]["Rule"]["DefaultRetention"] if put else there
    assert written == wanted
    assert step.outcome == ("set" if put else "was so")
    kept = {unit: count for unit, count in wanted.items() if there.get(unit) == count}
    assert bool(step.why) == (kept.keys() - {"Mode"} != set())


def test_a_lock_that_may_not_be_seen_stays_as_it_is(proxy, bucket, monkeypatch):
    store = store_of(proxy, bucket[0])
    denied(store, monkeypatch, "get_object_lock_configuration")
    monkeypatch.setattr(
        store._client, "put_object_lock_configuration", lambda **_: pytest.fail("was written over")
    )
    assert store.bucket._lock(366).outcome == "cannot"


@pytest.mark.parametrize("there", [{}, {"BlockPublicAcls": True, "IgnorePublicAcls": True}])
def test_a_block_of_public_access_that_was_there_comes_back(proxy, bucket, monkeypatch, there):
    """Where nothing can be written at all, for whatever reason, no door is opened over it."""
    name, client = bucket
    if there:
        client.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=there)
    store = store_of(proxy, name)
    monkeypatch.setattr(store.bucket, "_write", lambda: "the store refuses it (AccessDenied)")
    assert store.bucket._public().outcome == "cannot"
    found = store.bucket._ask("get_public_access_block", "PublicAccessBlockConfiguration") or {}
    assert {block for block, is_set in found.items() if is_set} == set(there)


@pytest.mark.parametrize("second", ["", "calls/court", "calls/2"])
def test_prefixes_that_lie_in_each_other_are_refused_before_anything_is_changed(
    proxy, bucket, second
):
    name, client = bucket
    list(store_of(proxy, name).bucket.set_up(Wanted(400)))
    before = ids_and_days(client, name)
    other = store_of(proxy, name, prefix=second)
    with pytest.raises(StoreError, match=r"the prefix calls/ of another hotline lies in"):
        list(other.bucket.set_up(Wanted(700)))
    assert ids_and_days(client, name) == before
    assert any("calls/ of another hotline" in one for one in other.abilities().warnings(366))
    assert store_of(proxy, name).abilities().nested == ()


def test_a_rule_without_tags_leaves_tombstones_alone(proxy, bucket, tmp_path):
    """They lie in custody/, and recordings in the folder of their year."""
    (expire, _) = rules("calls/", Wanted(366), locked=False, tagged=False)
    prefix = expire["Filter"]["Prefix"]
    assert "calls/2026/09/22/c1-1.flac".startswith(prefix)
    assert not "calls/custody/c1-1.json".startswith(prefix)
    name, client = bucket
    old = rules("calls/", Wanted(366), locked=False, tagged=False)
    old[0]["Filter"] = {"Prefix": "calls/"}  # as an older version wrote it
    client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": old})
    list(store_of(proxy, name).bucket.set_up(Wanted(366)))
    assert len(ids_and_days(client, name)) == 2
