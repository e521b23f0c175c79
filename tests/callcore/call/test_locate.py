"""RFC 3263 and 2782 as pure logic: a zone is a dictionary."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from callcore.call.locate import (
    MOST_WAYS,
    Found,
    Naptr,
    Question,
    Reply,
    Srv,
    Way,
    in_order,
    locate,
)


class Zone:
    """Answers a search from a dictionary; what is in `silent` is never answered."""

    def __init__(self, records, silent=(), ttl=60.0):
        self.records, self.silent, self.ttl = records, set(silent), ttl
        self.asked = []

    def reply(self, question):
        self.asked.append(tuple(question))
        if tuple(question) in self.silent:
            return None
        return Reply(tuple(self.records.get(tuple(question), ())), self.ttl)

    def find(self, *wanted):
        search = locate(*wanted)
        questions = next(search)
        while True:
            try:
                questions = search.send({one: self.reply(one) for one in questions})
            except StopIteration as stop:
                return stop.value


def test_naptr_chooses_the_transport_srv_the_host_and_a_the_address():
    zone = Zone(
        {
            ("ims.example", "NAPTR"): (
                Naptr(20, 0, "s", "SIP+D2U", "_sip._udp.ims.example."),
                Naptr(10, 50, "S", "sips+d2t", "_sips._tcp.ims.example."),
                Naptr(5, 0, "s", "SIP+D2W", "_ws.ims.example."),
                Naptr(1, 0, "u", "E2U+sip", "."),
            ),
            ("_sips._tcp.ims.example", "SRV"): (Srv(1, 0, 5061, "edge.ims.example."),),
            ("_sip._udp.ims.example", "SRV"): (
                Srv(2, 0, 5080, "b.ims.example."),
                Srv(1, 7, 5070, "a.ims.example."),
            ),
            ("edge.ims.example", "A"): ("192.0.2.1",),
            ("a.ims.example", "A"): ("192.0.2.2",),
            ("a.ims.example", "AAAA"): ("2001:db8::2",),
            ("b.ims.example", "A"): ("192.0.2.3",),
        }
    )
    assert zone.find("ims.example").ways == (
        Way("tls", "192.0.2.1", 5061, 0, 0),
        Way("udp", "192.0.2.2", 5070, 1, 7),
        Way("udp", "2001:db8::2", 5070, 1, 7),
        Way("udp", "192.0.2.3", 5080, 2, 0),
    )


def test_without_naptr_every_transport_of_ours_is_tried_by_srv():
    zone = Zone(
        {
            ("_sip._tcp.x.example", "SRV"): (Srv(1, 0, 5060, "h.x.example"),),
            ("h.x.example", "A"): ("192.0.2.9",),
        }
    )
    assert zone.find("x.example").ways == (Way("tcp", "192.0.2.9", 5060),)
    assert ("_sip._udp.x.example", "SRV") in zone.asked
    assert ("_sips._tcp.x.example", "SRV") in zone.asked


def test_a_transport_given_asks_no_naptr_and_a_port_given_no_srv():
    zone = Zone({("x.example", "A"): ("192.0.2.9",)})
    assert zone.find("x.example", "tls").ways == (Way("tls", "192.0.2.9", 5061),)
    assert zone.asked[0] == ("_sips._tcp.x.example", "SRV")
    zone.asked.clear()
    assert zone.find("x.example", "tcp", 5099).ways == (Way("tcp", "192.0.2.9", 5099),)
    assert zone.asked == [("x.example", "A"), ("x.example", "AAAA")]


def test_a_name_that_does_not_exist_is_found_to_have_no_address():
    assert Zone({}).find("gone.example") == Found((), 60.0)


def test_a_service_of_a_dot_is_not_there():
    zone = Zone(
        {
            ("_sip._udp.x.example", "SRV"): (Srv(0, 0, 0, "."),),
            ("_sip._tcp.x.example", "SRV"): (Srv(0, 0, 5060, "x.example"),),
            ("x.example", "A"): ("192.0.2.9",),
        }
    )
    assert zone.find("x.example").ways == (Way("tcp", "192.0.2.9", 5060),)


def test_silence_tells_nothing_but_what_is_heard_counts():
    records = {
        ("_sip._udp.x.example", "SRV"): (Srv(0, 0, 5060, "a.x.example"),),
        ("a.x.example", "A"): ("192.0.2.9",),
    }
    heard = (Way("udp", "192.0.2.9", 5060),)
    for silent in (("x.example", "NAPTR"), ("_sip._tcp.x.example", "SRV"), ("a.x.example", "AAAA")):
        assert Zone(records, [silent]).find("x.example").ways == heard
    for silent in (("_sip._udp.x.example", "SRV"), ("a.x.example", "A")):
        assert Zone(records, [silent]).find("x.example") is None


def test_the_shortest_ttl_of_all_holds():
    ttls = {"NAPTR": 300.0, "SRV": 20.0, "A": 90.0, "AAAA": 90.0}
    zone = Zone({("x.example", "A"): ("192.0.2.9",)})
    zone.reply = lambda q: Reply(tuple(zone.records.get(tuple(q), ())), ttls[q.kind])
    assert zone.find("x.example").ttl_seconds == 20.0


def test_an_answer_without_end_is_cut():
    srv = tuple(Srv(n, 0, 5060, f"h{n}.x") for n in range(1000))
    addresses = tuple(f"192.0.2.{n}" for n in range(250))
    records = {("_sip._udp.x", "SRV"): srv} | {(f"h{n}.x", "A"): addresses for n in range(1000)}
    zone = Zone(records)
    assert len(zone.find("x", "udp").ways) == MOST_WAYS
    assert len(zone.asked) < 100


def test_weights_share_the_calls():
    """RFC 2782: 60, 30 and 10 of a hundred; a second rank only after the first."""
    weights = {"a": 60, "b": 30, "c": 10}
    ways = [Way("udp", host, 5060, 0, weight) for host, weight in weights.items()]
    last = Way("udp", "d", 5060, 1, 65535)
    first = Counter()
    for step in range(1000):
        ordered = in_order([last, *ways], lambda step=step: step / 1000)
        assert ordered[-1] == last
        first[ordered[0].host] += 1
    assert first["a"] > 500
    assert first["b"] > 250
    assert 60 < first["c"] < 140


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 65535)), max_size=12),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=12, max_size=12),
)
def test_an_order_is_always_one_of_all_ways_by_rank(drawn, fractions):
    ways = [Way("udp", f"h{n}", 5060, rank, weight) for n, (rank, weight) in enumerate(drawn)]
    chances = iter(fractions)
    ordered = in_order(ways, lambda: next(chances))
    assert sorted(ordered) == sorted(ways)
    assert [way.rank for way in ordered] == sorted(way.rank for way in ways)


def test_questions_are_plain():
    assert next(locate("h", "udp")) == (Question("_sip._udp.h", "SRV"),)
