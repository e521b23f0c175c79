"""A node whose own disk fails as it comes back to the cluster; Redis is on paper."""

from acd import events as e
from acd.io.files import JournalDamaged
from acd.io.shared import Stand
from acd.lease import Role, View
from config.loader import loads
from hotline.clock import Clock
from hotline.queueing import Queueing
from service.journal import Store
from service.member import Member
from tests.interop.hotline import eventually
from tests.service.test_member import PaperHotline


class PaperShared:
    """Another node leads, and all that this one has is another history."""

    async def look(self):
        return Stand(View(5, "other/1", held=True), 1, 0)

    async def first_after(self, epoch):
        return 1

    async def read(self, after):
        return []

    async def exchange(self, node, minutes):
        return []

    async def close(self):
        pass


async def test_a_node_whose_journal_cannot_be_opened_says_so_until_it_can(tmp_path, monkeypatch):
    config = loads(
        f'[cluster]\nurl = "redis://127.0.0.1:1"\n[engine]\njournal = "{tmp_path}/journal"\n',
        environ={},
    )
    store = Store(config)
    store.journal.append(e.Arrived(1, "c1", "12345"))
    queueing = Queueing(store.core, store.journal, Clock(), lambda effect: None)
    hotline = PaperHotline(queueing)
    reopened, broken = store.reopen, [True]

    async def reopen(last):
        if broken[0]:
            raise JournalDamaged("journal-00000001.log: wrong checksum at byte 40")
        return await reopened(last)

    monkeypatch.setattr(store, "reopen", reopen)
    member = Member(config.cluster, PaperShared(), store, queueing, hotline)
    member.start()

    async def troubled():
        return "wrong checksum at byte 40" in member.status().trouble

    await eventually(troubled, 20, 0.01)
    assert (member.lease.role, member.leads()) == (Role.FOLLOWING, False)
    broken[0] = False

    async def well():
        return member.status().trouble == "" and store.journal.sequence == 0

    await eventually(well, 20, 0.01)
    told = [one for one in hotline.told if "cannot take over" in one]
    assert len(told) == 1, "said once, however often it was tried"
    await member.stop()
    queueing.close()
    store.close()
