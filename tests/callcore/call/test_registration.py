"""A trunk that registers: RFC 3261 §10.2 as a table."""

import pytest

from callcore.call.registration import (
    Arm,
    Changed,
    Event,
    Send,
    State,
    TrunkRegistration,
    step,
)
from callcore.call.settings import Registration
from callcore.message import response
from callcore.message.digest import parse_credentials, verify

SETTINGS = Registration(
    user="impi@ims",
    password="secret",
    impu="sip:+86551@ims.example",
    registrar="ims.example",
    proxy="192.0.2.1:5080",
)
CONTACT = "sip:+86551@192.0.2.9:5060;transport=udp"
CHALLENGE = 'Digest realm="ims.example", nonce="n1", algorithm=MD5, qop="auth"'


class Line:
    """Drives the machine; `expect` names every effect but the request itself."""

    def __init__(self, settings=SETTINGS):
        self.machine = TrunkRegistration(settings, CONTACT, "call", "tag")
        self.sent = None

    def on(self, event, now=0.0):
        self.machine, self.effects = step(self.machine, event, now)
        for effect in self.effects:
            if isinstance(effect, Send):
                self.sent = effect.request
        return self

    def answer(self, status, *headers, now=0.0):
        self.sent_via = [("Via", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1")]
        return self.on(Event.of(response(self.sent, status, headers=headers), 0.5, "cn"), now)

    def expect(self, *effects):
        found = ["SEND" if isinstance(e, Send) else e for e in self.effects]
        assert found == list(effects)
        return self

    def at(self, state):
        assert self.machine.state is state
        return self


def registered():
    line = Line().on(Event("start")).expect(Arm(None), "SEND").at(State.REGISTERING)
    return line.answer(200, ("Contact", f"<{CONTACT}>;expires=600"))


def test_register_then_refresh_before_expiry():
    """
    us             registrar
     |-- REGISTER -->|
     |<---- 200 -----|  expires=600
     |-- REGISTER -->|  after 600 * (0.7 + 0.15 * jitter)
    """
    line = registered().at(State.REGISTERED)
    line.expect(Arm(pytest.approx(465.0)), Changed(True, "registered"))
    first = line.sent
    line.on(Event("fired"), 465.0).expect(Arm(None), "SEND").at(State.REGISTERING)
    assert line.sent.call_id == first.call_id
    assert line.sent.cseq.number == first.cseq.number + 1
    line.answer(200, ("Expires", "600"), now=466.0).expect(Arm(pytest.approx(931.0)))


def test_every_name_stands_where_it_belongs():
    line = Line().on(Event("start"))
    line.answer(401, ("WWW-Authenticate", CHALLENGE)).expect("SEND").at(State.REGISTERING)
    sent = line.sent
    assert sent.uri == "sip:ims.example"
    assert str(sent.from_.uri) == str(sent.to.uri) == "sip:+86551@ims.example"
    assert sent.all("Route") == ["<sip:192.0.2.1:5080;transport=udp;lr>"]
    assert str(sent.contacts[0].uri) == CONTACT
    credentials = parse_credentials(sent.get("Authorization"))
    assert (credentials.user, credentials.uri, credentials.nc) == ("impi@ims", "sip:ims.example", 1)
    assert verify(credentials, method="REGISTER", password="secret")


def test_a_proxy_that_challenges_too_gets_its_own_answer():
    line = Line().on(Event("start"))
    line.answer(407, ("Proxy-Authenticate", CHALLENGE)).expect("SEND")
    line.answer(401, ("WWW-Authenticate", CHALLENGE)).expect("SEND")
    assert line.sent.get("Authorization")
    assert line.sent.get("Proxy-Authorization")
    line.answer(200).at(State.REGISTERED)
    line.on(Event("fired", token="x"))
    assert parse_credentials(line.sent.get("Authorization")).nc == 2


def test_a_wrong_password_is_not_tried_again_at_once():
    line = Line().on(Event("start"))
    line.answer(401, ("WWW-Authenticate", CHALLENGE)).expect("SEND")
    line.answer(401, ("WWW-Authenticate", CHALLENGE.replace("n1", "n2")))
    line.expect(Arm(3.75), Changed(False, "registrar answered 401 Unauthorized"))
    line.at(State.BACKING_OFF)


def test_a_stale_nonce_is_answered_again():
    line = Line().on(Event("start"))
    line.answer(401, ("WWW-Authenticate", CHALLENGE)).expect("SEND")
    line.answer(401, ("WWW-Authenticate", CHALLENGE + ", stale=true")).expect("SEND")
    line.answer(200).at(State.REGISTERED)


def test_a_challenge_for_another_realm_is_not_answered():
    line = Line(Registration(**{**_fields(), "realm": "other"})).on(Event("start"))
    line.answer(401, ("WWW-Authenticate", CHALLENGE)).at(State.BACKING_OFF)


def _fields():
    return {name: getattr(SETTINGS, name) for name in SETTINGS.__slots__}


def test_423_is_obeyed():
    line = Line(Registration(**{**_fields(), "expires_seconds": 60})).on(Event("start"))
    line.answer(423, ("Min-Expires", "1800")).expect("SEND")
    assert line.sent.expires == 1800
    line.answer(200).expect(Arm(pytest.approx(1800 * 0.775)), Changed(True, "registered"))


@pytest.mark.parametrize("least", ["", "x", "10", "99999999999"])
def test_a_423_that_makes_no_sense_is_a_refusal(least):
    Line().on(Event("start")).answer(423, ("Min-Expires", least)).at(State.BACKING_OFF)


def test_failures_are_waited_out_longer_and_longer():
    line = Line().on(Event("start"))
    waits = []
    for _ in range(9):
        line.on(Event("lost"))
        waits.append(line.effects[0].at)
        line.on(Event("fired")).at(State.REGISTERING)
    assert waits == [3.75, 7.5, 15, 30, 60, 120, 225, 225, 225]


def test_retry_after_is_obeyed():
    line = Line().on(Event("start")).answer(503, ("Retry-After", "120 (soon)"))
    line.expect(Arm(120.0), Changed(False, "registrar answered 503 Service Unavailable"))


def test_a_refresh_that_fails_takes_the_trunk_down_once():
    line = registered().on(Event("fired"))
    line.on(Event("lost"), 5.0).expect(Arm(8.75), Changed(False, "no answer from the registrar"))
    line.on(Event("fired")).on(Event("lost")).expect(Arm(7.5))
    line.on(Event("fired")).answer(200)
    assert Changed(True, "registered") in line.effects


def test_a_lost_connection_registers_again_at_once():
    registered().on(Event("lost")).expect(Arm(None), "SEND").at(State.REGISTERING)


def test_routes_and_identities_are_remembered():
    line = (
        Line()
        .on(Event("start"))
        .answer(
            200,
            ("Service-Route", "<sip:orig@scscf;lr>, <sip:second;lr>"),
            ("P-Associated-URI", "<sip:+86551@ims.example>"),
        )
    )
    assert line.machine.service_route == ("<sip:orig@scscf;lr>", "<sip:second;lr>")
    assert line.machine.associated == ("<sip:+86551@ims.example>",)


def test_stop_takes_the_binding_back_even_through_a_challenge():
    line = registered().on(Event("stop"), 10.0)
    line.expect(Arm(12.0), "SEND", Changed(False, "stopped")).at(State.LEAVING)
    assert line.sent.expires == 0
    line.answer(401, ("WWW-Authenticate", CHALLENGE)).expect("SEND").at(State.LEAVING)
    assert line.sent.expires == 0
    line.answer(200).expect(Arm(None)).at(State.IDLE)


def test_stop_gives_up_on_a_silent_registrar():
    registered().on(Event("stop")).on(Event("fired")).at(State.IDLE)
    Line().on(Event("start")).on(Event("lost")).on(Event("stop")).at(State.IDLE)


def test_a_200_that_grants_nothing_is_a_refusal():
    line = Line().on(Event("start"))
    line.answer(200, ("Contact", f"<{CONTACT}>;expires=0")).at(State.BACKING_OFF)


def test_a_200_that_cannot_be_read_is_a_refusal():
    line = Line().on(Event("start"))
    line.answer(200, ("Contact", "<sip:broken")).at(State.BACKING_OFF)


def leaving():
    return registered().on(Event("stop"), 10.0).at(State.LEAVING)


@pytest.mark.parametrize("status", [200, 403, 423])
def test_who_is_wanted_again_while_it_leaves_registers_once_that_is_answered(status):
    """RFC 3261 §10.2: no new registration before the one that is out has its final answer.

    us                 registrar
     |-- REGISTER 2 ----->|  expires=0
     |   (wanted again)   |
     |<------- 200 -------|
     |-- REGISTER 3 ----->|  expires=3600
    """
    line = leaving()
    left = line.sent
    line.on(Event("start"), 10.5).expect().at(State.RETURNING)
    line.answer(401, ("WWW-Authenticate", CHALLENGE)).expect("SEND").at(State.RETURNING)
    assert line.sent.expires == 0
    line.answer(status, now=11.0).expect(Arm(None), "SEND").at(State.REGISTERING)
    assert line.sent.expires == SETTINGS.expires_seconds
    assert line.sent.cseq.number > left.cseq.number
    line.answer(200)
    assert Changed(True, "registered") in line.effects


@pytest.mark.parametrize("kind", ["fired", "lost"])
def test_who_is_wanted_again_does_not_wait_for_a_silent_registrar(kind):
    line = leaving().on(Event("start"), 10.5).on(Event(kind), 12.0)
    line.expect(Arm(None), "SEND").at(State.REGISTERING)


def test_a_proof_that_is_refused_in_leaving_does_not_keep_it_from_coming_back():
    line = leaving().on(Event("start"))
    line.answer(401, ("WWW-Authenticate", CHALLENGE)).expect("SEND")
    line.answer(401, ("WWW-Authenticate", CHALLENGE)).at(State.REGISTERING)


def test_the_last_wish_counts():
    line = leaving().on(Event("start")).on(Event("stop")).expect().at(State.LEAVING)
    line.answer(200).at(State.IDLE)


def test_numbers_of_any_length_are_read():
    """Python itself reads no number of more than 4,300 digits."""
    endless = "9" * 5000
    line = Line().on(Event("start")).answer(423, ("Min-Expires", endless))
    line.at(State.BACKING_OFF)
    line = Line().on(Event("start")).answer(200, ("Contact", f"<{CONTACT}>;expires={endless}"))
    line.at(State.REGISTERED)


def test_an_expiry_that_cannot_be_read_counts_as_absent():
    line = Line().on(Event("start"))
    line.answer(200, ("Contact", f"<{CONTACT}>;expires=soon"), ("Expires", "600"))
    line.at(State.REGISTERED).expect(Arm(pytest.approx(465.0)), Changed(True, "registered"))
