"""Digest authentication, checked against the RFCs' own examples."""

from __future__ import annotations

import pytest

from callcore.errors import LocalProtocolError, RemoteProtocolError
from callcore.message.digest import (
    Challenge,
    answer,
    best_challenge,
    check_nonce,
    make_ha1,
    make_nonce,
    parse_challenge,
    parse_credentials,
    verify,
)

RFC7616 = """Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={},
 nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
 opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"""".replace("\n", "")


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616(algorithm, expected):
    """RFC 7616 §3.9.1."""
    challenge = parse_challenge(RFC7616.format(algorithm))
    credentials = parse_credentials(
        answer(
            challenge,
            method="GET",
            uri="/dir/index.html",
            user="Mufasa",
            password="Circle of Life",
            cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        )
    )
    assert credentials.response == expected
    assert (credentials.qop, credentials.nc, credentials.opaque) == ("auth", 1, challenge.opaque)
    assert verify(credentials, method="GET", password="Circle of Life")
    assert not verify(credentials, method="GET", password="Circle of life")
    assert not verify(credentials, method="PUT", password="Circle of Life")
    ha1 = make_ha1("Mufasa", "http-auth@example.org", "Circle of Life", algorithm)
    assert verify(credentials, method="GET", ha1=ha1)


def test_the_example_of_rfc_2617_without_qop():
    """RFC 2617 §3.5 gives HA1 and HA2; without qop the response is theirs around the nonce."""
    text = answer(
        Challenge("testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", qop=()),
        method="GET",
        uri="/dir/index.html",
        user="Mufasa",
        password="Circle Of Life",
    )
    credentials = parse_credentials(text)
    assert credentials.response == "670fd8c2df070c60b045671b8b24ff02"
    assert (credentials.qop, credentials.nc, credentials.cnonce) == (None, 0, None)
    assert verify(credentials, method="GET", password="Circle Of Life")


def test_auth_int_covers_the_body():
    text = answer(
        Challenge("r", "n", "SHA-256", qop=("auth-int",)),
        method="REGISTER",
        uri="sip:r",
        user="u",
        password="p",
        body=b"one",
        cnonce="c",
        nc=255,
    )
    credentials = parse_credentials(text)
    assert credentials.nc == 255
    assert verify(credentials, method="REGISTER", password="p", body=b"one")
    assert not verify(credentials, method="REGISTER", password="p", body=b"two")


def test_the_count_is_hashed_as_it_was_written():
    challenge = Challenge("r", "n")
    text = answer(challenge, method="A", uri="sip:r", user="u", password="p", cnonce="c", nc=10)
    assert not verify(
        parse_credentials(text.replace("0000000a", "0000000A")), method="A", password="p"
    )
    assert parse_credentials(text.replace("0000000a", "0000000A")).nc == 10


def test_a_challenge_is_written_and_read():
    challenge = Challenge('a "realm"', "n,1", "SHA-256", ("auth", "auth-int"), True, "o")
    assert parse_challenge(str(challenge)) == challenge


def test_the_first_challenge_that_can_be_answered_is_taken():
    """RFC 8760 §2.4."""
    texts = [
        'Digest realm="r", nonce="1", algorithm=SHA-512-256, qop="auth"',
        'Basic realm="r"',
        str(Challenge("r", "2", "SHA-256")),
        str(Challenge("r", "3")),
    ]
    chosen = best_challenge(texts)
    assert chosen is not None
    assert chosen.nonce == "2"
    assert best_challenge(texts[:2]) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Digest",
        "NoOneKnowsThisScheme opaque-data=here",
        'Digest username="u"',
        'Digest username="u',
        'Digest username="\udcff", realm="r", nonce="n", uri="u", response="r"',
        'Digest username="u", username="v", realm="r", nonce="n", uri="u", response="r"',
        'Digest username="u", realm="r", nonce="n", uri="u", response="r", algorithm=MD6',
        'Digest username="u", realm="r", nonce="n", uri="u", response="r", qop=auth',
        'Digest username="u", realm="r", nonce="n", uri="u", response="r", qop=auth, nc=1',
        'Digest username="u", realm="r", nonce="n", uri="u", response="r", qop=auth, nc=00000001',
        'Digest username="u", realm="r", nonce="n", uri="u", response="r", qop=x',
        "Digest " + ", ".join(f"f{i}=1" for i in range(99)),
    ],
)
def test_wrong_credentials_are_refused(text):
    with pytest.raises(RemoteProtocolError):
        parse_credentials(text)


def test_our_own_mistakes_are_ours():
    challenge = Challenge("r", "n")
    with pytest.raises(LocalProtocolError):
        answer(challenge, method="A", uri="sip:r", user="u", password="p")
    text = answer(challenge, method="A", uri="sip:r", user="u", password="p", cnonce="c")
    with pytest.raises(LocalProtocolError):
        verify(parse_credentials(text), method="A")


def test_a_nonce_is_ours_until_it_is_old():
    nonce = make_nonce(b"secret", 1000.0, b"salt")
    assert check_nonce(b"secret", nonce, 1000.0, 60) == "ok"
    assert check_nonce(b"secret", nonce, 1060.0, 60) == "ok"
    assert check_nonce(b"secret", nonce, 1060.1, 60) == "stale"
    assert check_nonce(b"secret", nonce, 10.0, 60) == "stale"  # made before the clock restarted
    assert check_nonce(b"other", nonce, 1000.0, 60) == "forged"
    assert make_nonce(b"secret", 1000.0, b"pepper") != nonce


@pytest.mark.parametrize("nonce", ["", ".", "x.y", "\udcff.\udcff", "0" * 5000])
def test_a_nonce_that_is_not_ours_is_forged(nonce):
    assert check_nonce(b"secret", nonce, 0.0, 60) == "forged"
