"""The registrar: RFC 3261 §10.3 with bindings tied to flows."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcore.call.events import Registered, Unregistered
from callcore.call.registrar import Binding, Registrar
from callcore.call.settings import RegistrarSettings
from callcore.flow import Flow
from callcore.message import request

UDP = Flow("udp", ("127.0.0.1", 5060), ("10.0.0.1", 5060))
TCP = Flow("tcp", ("127.0.0.1", 5060), ("10.0.0.1", 40000), 7)
HOME = "sip:8001@10.0.0.1:5060"
SETTINGS = RegistrarSettings(30, 3600, 600, max_bindings=2)


def udp_flow(port):
    return UDP._replace(remote=("10.0.0.1", port))


class Phone:
    """Sends REGISTER requests of one Call-ID with rising CSeq."""

    def __init__(self, registrar, flow=UDP, call_id="c1", user="8001"):
        self.registrar, self.flow, self.call_id, self.user = registrar, flow, call_id, user
        self.cseq = 0

    def register(self, *contacts, expires=None, now=0.0, cseq=None):
        self.cseq = self.cseq + 1 if cseq is None else cseq
        headers = [
            ("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1"),
            ("From", "<sip:8001@h>;tag=a"),
            ("To", "<sip:8001@h>"),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.cseq} REGISTER"),
            *[("Contact", contact) for contact in contacts],
        ]
        if expires is not None:
            headers.append(("Expires", str(expires)))
        message = request("REGISTER", "sip:h", headers=headers)
        return self.registrar.register(message, self.user, self.flow, now)


@pytest.fixture
def registrar():
    return Registrar(SETTINGS)


@pytest.fixture
def phone(registrar):
    return Phone(registrar)


def test_a_contact_is_bound_to_the_flow_it_came_by(registrar, phone):
    outcome = phone.register(f"<{HOME}>", expires=120)
    assert outcome.status == 200
    assert outcome.headers == (("Contact", f"<{HOME}>;expires=120"),)
    assert outcome.facts == (Registered("8001", HOME, UDP),)
    assert [b.flow for b in registrar.bindings("8001")] == [UDP]
    assert UDP in registrar
    assert registrar.users_of(UDP) == {"8001"}
    assert registrar.deadline() == 120


def test_a_refresh_is_no_new_fact_and_moves_the_expiry(registrar, phone):
    phone.register(f"<{HOME}>", expires=120)
    outcome = phone.register(f"<{HOME}>", expires=120, now=100.0)
    assert outcome.facts == ()
    assert registrar.fire(120.0) == []
    assert registrar.fire(220.0) == [Unregistered("8001", "expired")]
    assert len(registrar) == 0
    assert registrar.deadline() is None


def test_the_rest_of_the_lifetime_is_told(phone):
    phone.register(f"<{HOME}>", expires=120)
    assert phone.register(now=20.4).headers == (("Contact", f"<{HOME}>;expires=100"),)


@pytest.mark.parametrize(
    ("contact", "expires", "granted"),
    [
        (f"<{HOME}>;expires=90", 120, 90),
        (f"<{HOME}>", None, 600),
        (f"<{HOME}>;expires=never", None, 600),
        (f"<{HOME}>", 999_999, 3600),
    ],
)
def test_expiry_is_the_contacts_then_the_headers_then_the_default(phone, contact, expires, granted):
    assert phone.register(contact, expires=expires).headers[0][1].endswith(f"expires={granted}")


def test_an_expiry_too_brief_is_423_with_the_least(registrar, phone):
    outcome = phone.register(f"<{HOME}>", expires=10)
    assert (outcome.status, outcome.headers) == (423, (("Min-Expires", "30"),))
    assert len(registrar) == 0


def test_expires_0_removes_one_contact_and_the_star_removes_all(registrar, phone):
    phone.register(f"<{HOME}>", "<sip:8001@10.0.0.1:6000>")
    assert phone.register(f"<{HOME}>", expires=0).facts == ()
    phone.register(f"<{HOME}>")
    assert phone.register("*", expires=0).facts == (Unregistered("8001", "asked"),)
    assert len(registrar) == 0
    assert UDP not in registrar


@pytest.mark.parametrize("contacts", [("*",), ("*", f"<{HOME}>")])
def test_the_star_needs_expires_0_and_stands_alone(phone, contacts):
    phone.register(f"<{HOME}>")
    assert phone.register(*contacts, expires=60).status == 400


def test_an_old_request_that_comes_late_changes_nothing(registrar, phone):
    phone.register(f"<{HOME}>", cseq=5)
    assert phone.register(f"<{HOME}>", expires=0, cseq=4).status == 500
    assert len(registrar) == 1
    # After a restart the phone has another Call-ID and may start to count again.
    assert Phone(registrar, call_id="c2").register(f"<{HOME}>", cseq=1).status == 200


def test_more_contacts_at_once_than_allowed_are_refused_and_none_is_changed(registrar, phone):
    phone.register(f"<{HOME}>")
    outcome = phone.register("<sip:a@10.0.0.1>", "<sip:b@10.0.0.1>", "<sip:c@10.0.0.1>")
    assert outcome.status == 403
    assert [b.contact for b in registrar.bindings("8001")] == [HOME]


def test_the_oldest_binding_makes_room_for_a_new_one(registrar, phone):
    for n in range(5):
        crashed = Phone(registrar, udp_flow(6000 + n), call_id=f"c{n}")
        assert crashed.register(f"<sip:8001@10.0.0.1:{6000 + n}>").status == 200
    assert [b.contact[-4:] for b in registrar.bindings("8001")] == ["6004", "6003"]
    assert len(registrar) == 2
    assert udp_flow(6000) not in registrar


def test_a_binding_dies_with_its_connection(registrar):
    Phone(registrar, flow=TCP).register("<sip:8001@10.0.0.1:40000;transport=tcp>")
    Phone(registrar, call_id="c2").register(f"<{HOME}>")
    assert registrar.flow_closed(TCP) == []
    assert registrar.flow_closed(TCP) == []
    assert registrar.flow_closed(UDP) == [Unregistered("8001", "flow closed")]


def test_a_contact_that_moves_to_another_flow_is_told(registrar, phone):
    phone.register(f"<{HOME}>")
    moved = Phone(registrar, flow=UDP._replace(remote=("10.0.0.1", 999)), call_id="c1")
    moved.cseq = 5
    outcome = moved.register(f"<{HOME}>")
    assert outcome.facts == (Registered("8001", HOME, moved.flow),)
    assert UDP not in registrar
    assert len(registrar) == 1


def test_the_same_instance_from_another_port_replaces_its_old_binding(registrar, phone):
    instance = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"'
    phone.register(f"<{HOME}>;{instance}")
    outcome = Phone(registrar, call_id="c2").register(f"<sip:8001@10.0.0.1:7000>;{instance}")
    assert [b.contact for b in registrar.bindings("8001")] == ["sip:8001@10.0.0.1:7000"]
    assert instance in outcome.headers[0][1]


def test_refreshes_do_not_fill_the_memory(registrar, phone):
    for n in range(10_000):
        phone.register(f"<{HOME}>", now=n / 10)
    assert len(registrar._expiries) < 200


def test_the_newest_binding_comes_first(registrar, phone):
    phone.register(f"<{HOME}>")
    phone.register("<sip:8001@10.0.0.1:6000>")
    assert registrar.bindings("8001")[0].contact == "sip:8001@10.0.0.1:6000"
    phone.register(f"<{HOME}>")
    assert registrar.bindings("8001")[0].contact == HOME


@pytest.mark.parametrize("unreadable", ["soon", "-1", "1.5"])
def test_an_expiry_that_cannot_be_read_counts_as_absent(phone, unreadable):
    """RFC 3261 §10.2.1.1."""
    outcome = phone.register(f"<{HOME}>;expires={unreadable}", expires=120)
    assert outcome.headers == (("Contact", f"<{HOME}>;expires=120"),)


def restored(port, call_id="old", **more):
    """What another node knew of a phone of 8001's."""
    contact = f"sip:8001@10.0.0.1:{port}"
    return Binding("8001", contact, udp_flow(port), 300.0, call_id, 7, **more)


def test_all_of_a_user_s_phones_are_restored_in_their_order(registrar):
    facts = [fact for port in (5060, 5061) for fact in registrar.restore(restored(port), 0.0)]
    assert [fact.contact[-4:] for fact in facts] == ["5060", "5061"]
    assert [one.contact[-4:] for one in registrar.bindings("8001")] == ["5061", "5060"]
    assert registrar.restore(restored(5061), 0.0) == []
    assert registrar.restore(restored(5062), 0.0) == [], "no more than a seat may have"
    assert len(registrar) == 2


def test_what_a_phone_told_us_last_comes_before_what_it_had_told_another_node(registrar, phone):
    phone.register(f"<{HOME}>", expires=120, now=100.0)
    assert registrar.restore(restored(5060, since=99.0), 101.0) == []
    older = replace(restored(5061, phone.call_id, since=99.0), cseq=0)
    assert registrar.restore(older, 101.0) == []
    assert [one.expires_at for one in registrar.bindings("8001")] == [220.0]
    # The seat's other phone has not come to us yet; ours is the newest all the same.
    registrar.restore(restored(5062, since=99.0), 101.0)
    assert [one.contact[-4:] for one in registrar.bindings("8001")] == ["5060", "5062"]


def test_what_a_phone_told_another_node_later_takes_the_place_of_what_it_told_us(registrar, phone):
    """It led before us, and again now: the phone had moved meanwhile."""
    phone.register(f"<{HOME}>", expires=300, now=0.0)
    (moved,) = registrar.restore(restored(5061, phone.call_id, since=0.0), 10.0)
    assert (moved.contact, moved.flow) == ("sip:8001@10.0.0.1:5061", udp_flow(5061))
    assert [one.contact[-4:] for one in registrar.bindings("8001")] == ["5061"]
    assert len(registrar) == 1
    # The same contact by another Call-ID, as after a phone's restart: by time.
    assert registrar.restore(restored(5061, "fresh", since=20.0), 30.0) == []
    assert [(one.call_id, one.since) for one in registrar.bindings("8001")] == [("fresh", 20.0)]
    assert registrar.restore(restored(5061, "stale", since=19.0), 30.0) == []
    assert [one.call_id for one in registrar.bindings("8001")] == ["fresh"]


def test_a_node_that_does_not_tell_since_when_is_older_than_what_we_know(registrar, phone):
    phone.register(f"<{HOME}>", expires=120, now=0.0)
    assert registrar.restore(restored(5060), 10.0) == []


def test_a_phone_that_moved_is_not_restored_where_it_was(registrar, phone):
    phone.register(f'<{HOME}>;+sip.instance="<urn:uuid:1>"')
    assert registrar.restore(restored(5061, instance="<urn:uuid:1>"), 0.0) == []
    assert registrar.restore(restored(5061, instance="<urn:uuid:2>"), 0.0) != []


def test_a_restored_phone_that_registers_is_its_own_again(registrar, phone):
    registrar.restore(restored(5060), 0.0)
    assert phone.register(f"<{HOME}>", expires=120).facts == ()
    assert registrar.restore(replace(restored(5061, phone.call_id), cseq=0), 0.0) == []


def test_what_has_expired_meanwhile_is_not_restored(registrar):
    assert registrar.restore(restored(5060), 300.0) == []
    assert not registrar.has("8001")


def test_what_a_phone_has_taken_back_at_another_node_is_no_longer_rung(registrar, phone):
    """
    node-1           node-2 (leads)     8001
      |<--------------- | -- REGISTER -- |
      |                 |<-- Expires: 0 -|  perhaps it was never registered there
      | leads           X
    """
    phone.register(f"<{HOME}>", now=0.0)
    other = Registrar(SETTINGS)
    at_the_other = Phone(other, call_id="c9")
    assert at_the_other.register(f"<{HOME}>", expires=0, now=5.0).facts == ()
    (gone,) = other.gone("8001")
    assert registrar.restore(gone, 6.0) == [Unregistered("8001", "asked")]
    assert not registrar.has("8001")
    # And who has it still from before tells us nothing new.
    assert registrar.restore(restored(5060, since=4.0), 7.0) == []
    assert registrar.restore(restored(5060, since=6.5), 7.0) != []
    assert registrar.gone("8001") == ()


def test_a_second_place_stays_where_the_first_is_taken_back(registrar, phone):
    phone.register(f"<{HOME}>", "<sip:8001@10.0.0.1:6000>")
    phone.register(f"<{HOME}>;expires=0", now=1.0)
    other = Registrar(SETTINGS)
    for one in (*reversed(registrar.bindings("8001")), *registrar.gone("8001")):
        other.restore(one, 2.0)
    assert [one.contact for one in other.bindings("8001")] == ["sip:8001@10.0.0.1:6000"]


def test_a_phone_that_moves_takes_nothing_back(registrar, phone):
    instance = '+sip.instance="<urn:uuid:1>"'
    phone.register(f"<{HOME}>;{instance}")
    phone.register(f"<sip:8001@10.0.0.1:7000>;{instance}")
    phone.register("<sip:8001@10.0.0.1:7001>", "<sip:8001@10.0.0.1:7002>")
    assert registrar.gone("8001") == ()


def test_what_was_taken_back_does_not_fill_the_memory(registrar):
    for port in range(7000, 7100):
        Phone(registrar, call_id=f"c{port}").register(f"<sip:8001@10.0.0.1:{port}>", expires=0)
    assert [one.contact[-4:] for one in registrar.gone("8001")] == ["7098", "7099"]


@given(
    st.lists(
        st.tuples(st.sampled_from("AB"), st.sampled_from((5060, 5061)), st.booleans())
        | st.sampled_from(["A leads", "B leads"]),
        max_size=24,
    ),
    st.booleans(),
)
def test_whoever_leads_knows_each_phone_s_last_word(words, one_call_id):
    """Two phones of a seat speak now to one node and now to the other."""
    nodes = {name: Registrar(SETTINGS) for name in "AB"}
    last: dict[int, bool] = {}
    spoken = 0
    for now, word in enumerate([*words, "A leads", "B leads"], start=1):
        if not isinstance(word, str):
            node, port, on = word
            spoken += 1
            name = f"c{port}" if one_call_id else f"c{port}{node}"  # one for each registration
            phone = Phone(nodes[node], udp_flow(port), name)
            contact = f"<sip:8001@10.0.0.1:{port}>"
            phone.register(contact, expires=600 if on else 0, now=float(now), cseq=spoken)
            last[port] = on
            continue
        new, old = (nodes[name] for name in ("AB" if word == "A leads" else "BA"))
        for one in (*reversed(old.bindings("8001")), *old.gone("8001")):
            new.restore(one, float(now))
        assert {one.flow.remote[1] for one in new.bindings("8001")} == {
            port for port, on in last.items() if on
        }
