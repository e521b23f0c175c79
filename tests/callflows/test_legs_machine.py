"""Whatever peers, hotline and clock do: one Ended a leg, and nothing left behind."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from callcore.call.events import Arrived, Ended, Offered
from callcore.call.legs import LegSettings
from callcore.call.terms import Terms
from callcore.dialog import SessionTerms
from callcore.errors import LocalProtocolError
from callcore.message import Request, Response
from tests.callflows.ladder import ANSWER, OFFER, TCP, UDP, Ladder

BODIES = st.sampled_from([b"", OFFER, ANSWER, b"v=0\r\nbroken\r\n"])
TAGS = st.sampled_from(["peer", "east", "other"])
STATUSES = st.sampled_from(
    [100, 180, 183, 200, 202, 302, 401, 407, 408, 422, 481, 486, 491, 500, 603]
)
METHODS = st.sampled_from(
    ["INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "INFO", "OPTIONS", "REFER", "PRACK"]
)
CHALLENGE = (
    'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"',
    'Proxy-Authenticate: Digest realm="r", nonce="n", qop="auth"',
)
ODD = st.sampled_from(
    [
        (),
        (),
        (),
        ("Supported: 100rel, timer", "Allow: UPDATE", "Session-Expires: 90;refresher=uas"),
        ("Require: 100rel", "RSeq: 1", "RAck: 1073741824 1 INVITE", "Refer-To: <sip:a@b>"),
        ("Require: 100rel", "RSeq: 2", "RAck: 1 1 INVITE", "Refer-To: <sip:a@b?Replaces=x>"),
        ("Allow: UPDATE", "Session-Expires: 90", "Min-SE: 100", "Retry-After: 1"),
        ("Replaces: one;to-tag=us1;from-tag=peer",),
        ("Contact: <sip:",),
        ("Record-Route: x y",),
        ("Require: x",),
        ("Reason: ,",),
    ]
)
COMMANDS = [
    *("progress", "answer", "refuse", "hang_up", "offer", "accept_offer", "refuse_offer"),
    *("accept_transfer", "refuse_transfer", "progress_transfer"),
]
ARGUMENTS = {
    "answer": [ANSWER],
    "progress": [183, ANSWER],
    "progress_transfer": [200],
    "refuse": [486],
    "offer": [OFFER],
    "accept_offer": [ANSWER],
    "refuse_offer": [488],
}


TERMS = [
    Terms(transfers=True),
    Terms("always", SessionTerms(90, 90, "us"), transfers=True),
    Terms("required", SessionTerms(1800)),
    Terms("never"),
]


class AnythingGoes(RuleBasedStateMachine):
    """One flow, a few legs, everything in any order."""

    @initialize(
        flow=st.sampled_from([UDP, TCP]),
        chance=st.sampled_from([0.0, 0.5, 0.999]),
        terms=st.sampled_from(TERMS),
    )
    def begin(self, flow, chance, terms):
        self.ladder = Ladder(flow, chance=chance, settings=LegSettings(terms=terms))
        self.placed: list[str] = []
        self.heard: list[bytes] = []

    def names(self):
        return [*self.placed, *(e.leg for e in self.ladder.told if isinstance(e, Arrived))]

    def say(self, data):
        self.heard.append(data)
        self.ladder.hear(data)

    @precondition(lambda self: len(self.placed) < 2)
    @rule()
    def place(self):
        self.placed.append(f"out{len(self.placed)}")
        self.ladder.place(self.placed[-1])

    @rule(body=BODIES, call=st.sampled_from(["one", "two"]), tag=TAGS, odd=ODD)
    def arrive(self, body, call, tag, odd):
        self.ladder.call_id = call
        self.say(self.ladder.request("INVITE", body, to_tag="", tag=tag, headers=odd))

    @rule(method=METHODS, body=BODIES, tag=TAGS, odd=ODD, data=st.data())
    def ask(self, method, body, tag, odd, data):
        tags = [("one", ""), ("x", "")]
        for message in self.ladder.sent:
            if isinstance(message, Response) and message.to.tag:
                tags.append((message.call_id, message.to.tag))
            elif isinstance(message, Request):
                tags.append((message.call_id, message.from_.tag))
        self.ladder.call_id, to_tag = data.draw(st.sampled_from(tags))
        cseq = data.draw(st.sampled_from([None, None, 1]))
        self.say(self.ladder.request(method, body, tag=tag, to_tag=to_tag, cseq=cseq, headers=odd))

    @precondition(lambda self: any(b"INVITE" in data for data in self.heard))
    @rule(method=st.sampled_from(["CANCEL", "ACK"]), data=st.data())
    def follow(self, method, data):
        """CANCEL or ACK with the branch of an INVITE."""
        invite = data.draw(st.sampled_from([d for d in self.heard if d[:6] == b"INVITE"] or [b""]))
        if invite:
            head = invite.split(b"\r\n\r\n")[0].replace(b"INVITE", method.encode())
            lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content")]
            self.say(b"\r\n".join([*lines, b"Content-Length: 0", b"", b""]))

    @precondition(lambda self: bool(self.heard))
    @rule(data=st.data())
    def repeat(self, data):
        self.ladder.hear(data.draw(st.sampled_from(self.heard)))

    @precondition(lambda self: bool(self.names()))
    @rule(
        status=STATUSES,
        body=BODIES,
        tag=TAGS,
        odd=ODD,
        to=st.sampled_from(["INVITE", "BYE", "UPDATE", "PRACK", "NOTIFY", None]),
    )
    def answer_us(self, status, body, tag, odd, to):
        if any(
            isinstance(m, Request) and m.method != "ACK" and to in (None, m.method)
            for m in self.ladder.sent
        ):
            self.ladder.answers(status, body, tag=tag, to=to, headers=(*CHALLENGE, *odd))

    @precondition(lambda self: bool(self.names()))
    @rule(command=st.sampled_from(COMMANDS), data=st.data())
    def command(self, command, data):
        leg = data.draw(st.sampled_from(self.names()))
        try:
            self.ladder.do(command, *ARGUMENTS.get(command, []), leg=leg)
        except LocalProtocolError:
            assert command != "hang_up"  # this one fits every state

    @rule(seconds=st.sampled_from([0.1, 0.5, 2.0, 10.0, 32.0, 100.0]))
    def wait(self, seconds):
        self.ladder.wait(seconds)

    @precondition(lambda self: self.ladder.flow.transport != "udp")  # nothing there can close
    @rule()
    def lose(self):
        self.ladder.lose_connection()

    def teardown(self):
        if not hasattr(self, "ladder"):
            return
        for leg in self.names():
            self.ladder.do("hang_up", leg=leg)
        ended = Counter(e.leg for e in self.ladder.told if isinstance(e, Ended))
        assert ended == Counter(self.names())
        self.ladder.expect_nothing_left()
        ended = Counter(e.leg for e in self.ladder.told if isinstance(e, Ended))
        assert ended == Counter(self.names())
        assert all(not isinstance(e, Offered) or e.leg in ended for e in self.ladder.told)


class OnlyTimeGoesOn(AnythingGoes):
    """The same, but at the end nobody hangs up: established calls alone may stay."""

    def teardown(self):
        if not hasattr(self, "ladder"):
            return
        self.ladder.wait(4000)  # longer than any session timer
        ended = Counter(e.leg for e in self.ladder.told if isinstance(e, Ended))
        assert all(count == 1 for count in ended.values())
        alive = [leg for leg in self.names() if leg in self.ladder.legs]
        assert sorted([*alive, *ended]) == sorted(self.names())
        assert self.ladder.legs.deadline() is None
        assert self.ladder.layer.deadline() is None
        assert len(self.ladder.layer) == 0


TestAnythingGoes = AnythingGoes.TestCase
TestAnythingGoes.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestOnlyTimeGoesOn = OnlyTimeGoesOn.TestCase
TestOnlyTimeGoesOn.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
