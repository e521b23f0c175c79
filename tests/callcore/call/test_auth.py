"""Digest authentication of seats: challenges, replay, guessing."""

import sys
from collections import Counter

import pytest

from callcore.call.auth import Authenticator, Challenged, Forbidden, Granted
from callcore.call.settings import AuthSettings, Seat
from callcore.flow import Flow
from callcore.message import request
from callcore.message.digest import answer, parse_challenge

FLOW = Flow("udp", ("127.0.0.1", 5060), ("10.0.0.1", 5060))
SEATS = {"8001": Seat("8001", "secret-8001"), "8002": Seat("8002", "secret-8002")}


class Salt:
    def __init__(self):
        self.number = 0

    def __call__(self):
        self.number += 1
        return f"salt{self.number}"


@pytest.fixture
def auth():
    return Authenticator(AuthSettings(failures=3), "h", SEATS, Salt())


def register(*credentials):
    headers = [
        ("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1"),
        ("From", "<sip:8001@h>;tag=a"),
        ("To", "<sip:8001@h>"),
        ("Call-ID", "c"),
        ("CSeq", "1 REGISTER"),
        *[("Authorization", value) for value in credentials],
    ]
    return request("REGISTER", "sip:h", headers=headers)


def prove(challenged, *, user="8001", password="secret-8001", nc=1, which=0):
    challenge = parse_challenge(challenged.headers[which][1])
    return register(
        answer(
            challenge,
            method="REGISTER",
            uri="sip:h",
            user=user,
            password=password,
            cnonce="c",
            nc=nc,
        )
    )


def challenges(judgement):
    assert isinstance(judgement, Challenged)
    return [parse_challenge(value) for name, value in judgement.headers]


def test_both_algorithms_are_offered_the_preferred_first(auth):
    found = challenges(auth.judge(register(), "8001", FLOW, 0.0))
    assert [c.algorithm for c in found] == ["SHA-256", "MD5"]
    assert [c.realm for c in found] == ["h", "h"]
    assert not any(c.stale for c in found)


@pytest.mark.parametrize("which", [0, 1])
def test_the_right_password_by_either_algorithm_is_granted(auth, which):
    proof = prove(auth.challenge(FLOW, 0.0), which=which)
    assert auth.judge(proof, "8001", FLOW, 1.0) == Granted("8001")


def test_an_old_nonce_is_stale_and_no_failure(auth):
    proof = prove(auth.challenge(FLOW, 0.0))
    for _ in range(10):
        verdict = auth.judge(proof, "8001", FLOW, 1000.0)
        assert challenges(verdict)[0].stale
        assert not verdict.failed


def test_the_same_proof_does_not_count_twice(auth):
    challenged = auth.challenge(FLOW, 0.0)
    assert auth.judge(prove(challenged), "8001", FLOW, 1.0) == Granted("8001")
    assert challenges(auth.judge(prove(challenged), "8001", FLOW, 1.0))[0].stale
    assert auth.judge(prove(challenged, nc=3), "8001", FLOW, 1.0) == Granted("8001")
    assert auth.judge(prove(challenged, nc=2), "8001", FLOW, 1.0) == Granted("8001")
    assert challenges(auth.judge(prove(challenged, nc=2), "8001", FLOW, 1.0))[0].stale
    assert auth.judge(prove(challenged, nc=100), "8001", FLOW, 1.0) == Granted("8001")
    assert challenges(auth.judge(prove(challenged, nc=4), "8001", FLOW, 1.0))[0].stale


def test_unknown_user_and_wrong_password_get_the_same_answer(auth):
    one = auth.judge(prove(auth.challenge(FLOW, 0.0), user="9999"), "9999", FLOW, 1.0)
    other = auth.judge(prove(auth.challenge(FLOW, 0.0), password="guess"), "8001", FLOW, 1.0)
    assert one.failed
    assert other.failed
    assert [c.stale for c in challenges(one)] == [c.stale for c in challenges(other)]


def test_after_some_failures_even_the_right_password_is_forbidden_for_a_while(auth):
    for _ in range(3):
        auth.judge(prove(auth.challenge(FLOW, 0.0), password="guess"), "8001", FLOW, 0.0)
    verdict = auth.judge(prove(auth.challenge(FLOW, 0.0)), "8001", FLOW, 1.0)
    assert verdict == Forbidden("blocked", (("Retry-After", "29"),))
    assert auth.judge(prove(auth.challenge(FLOW, 30.0)), "8001", FLOW, 31.0) == Granted("8001")


def test_one_seat_cannot_speak_for_another(auth):
    proof = prove(auth.challenge(FLOW, 0.0), user="8002", password="secret-8002")
    assert auth.judge(proof, "8001", FLOW, 1.0) == Forbidden("another user")


@pytest.mark.parametrize("value", ["Basic abc", "Digest", "Digest username=", 'Digest realm="x"'])
def test_credentials_that_cannot_be_read_are_challenged(auth, value):
    assert not auth.judge(register(value), "8001", FLOW, 0.0).failed


def test_an_algorithm_not_offered_is_challenged():
    auth = Authenticator(AuthSettings(algorithms=("SHA-256",)), "h", SEATS, Salt())
    weak = parse_challenge(auth.challenge(FLOW, 0.0).headers[0][1].replace("SHA-256", "MD5"))
    value = answer(
        weak, method="REGISTER", uri="sip:h", user="8001", password="secret-8001", cnonce="c", nc=1
    )
    assert isinstance(auth.judge(register(value), "8001", FLOW, 0.0), Challenged)


def test_memory_is_bounded_and_what_it_forgets_is_no_replay():
    auth = Authenticator(AuthSettings(remembered=10), "h", SEATS, Salt())
    first = prove(auth.challenge(FLOW, 0.0))
    assert auth.judge(first, "8001", FLOW, 0.0) == Granted("8001")
    for n in range(1, 100):
        proof = prove(auth.challenge(FLOW, float(n)))
        assert auth.judge(proof, "8001", FLOW, float(n)) == Granted("8001")
    assert len(auth._counts) == 10
    assert challenges(auth.judge(first, "8001", FLOW, 100.0))[0].stale


def test_a_nonce_is_good_only_where_it_was_sent():
    """Who forges the source of a datagram has not seen what was answered there."""
    auth = Authenticator(AuthSettings(failures=1), "h", SEATS, Salt())
    other = Flow("udp", FLOW.local, ("10.0.0.66", 5060))
    stolen = auth.challenge(other, 0.0)
    for proof in (prove(stolen, password="guess"), prove(stolen)):
        verdict = auth.judge(proof, "8001", FLOW, 1.0)
        assert challenges(verdict)[0].stale
        assert not verdict.failed
    assert auth.judge(prove(auth.challenge(FLOW, 1.0)), "8001", FLOW, 2.0) == Granted("8001")


@pytest.mark.parametrize("user", ["8001", "9999"])
def test_a_forged_nonce_tells_nothing_of_the_password(auth, user):
    """RFC 7616 §3.3: stale whether the password is right, wrong or nobody's."""
    forged = Challenged((("WWW-Authenticate", 'Digest realm="h", nonce="0.0", qop="auth"'),))
    for password in ("guess", "secret-8001"):
        verdict = auth.judge(prove(forged, user=user, password=password), user, FLOW, 1.0)
        assert challenges(verdict)[0].stale
        assert not verdict.failed


def test_a_proof_for_another_number_is_no_proof(auth):
    """RFC 7616 §3.4.6: a call's proof cannot be bent to a dearer number on its way."""
    challenge = parse_challenge(auth.challenge(FLOW, 0.0).headers[0][1])
    value = answer(
        challenge,
        method="REGISTER",
        uri="sip:110@h",
        user="8001",
        password="secret-8001",
        cnonce="c",
        nc=1,
    )
    assert auth.judge(register(value), "8001", FLOW, 1.0).failed


def work_of(act) -> Counter[str]:
    """The calls that `act` makes, in Python and in C: the same work on any machine."""
    calls: Counter[str] = Counter()

    def note(frame, event, argument) -> None:
        if event == "call":
            calls[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            calls[argument.__qualname__] += 1

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return calls


def test_unknown_user_and_wrong_password_make_the_same_work(auth):
    """A clock cannot tell them apart: each does the same calls, the hashes among them."""
    settings = AuthSettings(failures=10**9)
    auth = Authenticator(settings, "h", SEATS, Salt())
    challenged = auth.challenge(FLOW, 0.0)
    auth.judge(prove(challenged, user="8001", password="first"), "8001", FLOW, 1.0)
    known, unknown = (
        work_of(lambda u=user, p=proof: auth.judge(p, u, FLOW, 1.0))
        for user, proof in (
            (user, prove(challenged, user=user, password="guess")) for user in ("8001", "9999")
        )
    )
    assert known == unknown
    assert known["_hash"] == 3
