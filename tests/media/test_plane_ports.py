"""When the plane looks whether somebody else has a port: before its first use, after a failure."""

from contextlib import contextmanager

from media import events
from media.io import plane as planes
from media.io.plane import MediaPlane, MediaSettings

SETTINGS = MediaSettings(
    "127.0.0.1", 20000, 20003, 1, {}, "tests:none", port_quarantine_seconds=0.0
)


class Worker:
    """Up, and told nothing that matters here."""

    up = True

    def send(self, command):
        pass


class Probes:
    """Sockets that bind nothing, and are refused what others have."""

    def __init__(self):
        self.tried, self.taken = [], set()

    @contextmanager
    def udp(self, host):
        yield self

    def bind(self, address):
        self.tried.append(address[1])
        if address[1] in self.taken:
            raise OSError("in use")


async def test_a_port_is_tried_out_once_and_again_after_a_worker_could_not_have_it(monkeypatch):
    probes = Probes()
    monkeypatch.setattr(planes, "udp", probes.udp)
    plane = MediaPlane(SETTINGS, lambda event: None)
    plane._workers.append(Worker())

    def uses(leg, end):
        port = plane.open(leg).port
        plane.close(leg)
        plane._report(0, end)
        return port

    closed, failed = events.LegClosed("a", events.LegStats()), events.LegFailed("a", "in use")
    assert [uses("a", closed) for _ in range(4)] == [20000, 20002, 20000, 20002]
    assert probes.tried == [20000, 20002]
    assert uses("a", failed) == 20000
    probes.taken.add(20000)
    assert [uses("a", closed) for _ in range(3)] == [20002, 20002, 20002]
    assert probes.tried[2:] == [20000, 20000]
