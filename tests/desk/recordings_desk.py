"""The desk's application over a real keeper with four recordings, and people who ask it."""

import hashlib
import io
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import soundfile

from config.loader import loads
from config.schema import Config
from desk.app import create_app
from hotline.archive import Archive
from hotline.clock import Clock
from hotline.meters import Meters
from recorder.io.index import Entry
from recorder.io.keeper import Keeper, KeeperSettings
from recorder.manifest import Manifest, encode, manifest_key

RATE = 8000
SECONDS = 24
PEOPLE = ("agent", "supervisor", "reviewer", "second", "auditor", "admin")
ROLES = {"second": "reviewer", "agent": "agent"}
TOKENS = {name: f"token-of-{name}-0123456789" for name in PEOPLE}
STARTED_MS = 1_790_000_000_000
HEAD = 44


def sound(seconds: float = SECONDS) -> np.ndarray:
    """The caller speaks for the first third, both for the second, nobody in the last."""
    t = np.arange(int(seconds * RATE)) / RATE
    voice = np.sin(2 * np.pi * 300 * t) * 6000
    third = len(t) // 3
    caller = np.where(np.arange(len(t)) < 2 * third, voice, 0)
    agent = np.where((np.arange(len(t)) >= third) & (np.arange(len(t)) < 2 * third), voice, 0)
    return np.column_stack([caller, agent]).astype(np.int16)


def entry(number: int, data: bytes, **facts: Any) -> Entry:
    return Entry(
        f"c{number}-1",
        **{
            "call_id": f"c{number}",
            "caller": f"1380000{number:04}",
            "called": "12345",
            "agent": "8001" if number % 2 else "8002",
            "queue": "12345",
            "started_ms": STARTED_MS + 1000 * number,
            "ended_ms": STARTED_MS + 1000 * number + SECONDS * 1000,
            "duration_ms": SECONDS * 1000,
            "key": f"2026/09/22/c{number}-1.flac",
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
            "state": "stored",
            "order": f"W{number}",
            "result": "answered",
            **facts,
        },
    )


class Desk:
    """The application over a store with four recordings, and whoever asks it."""

    def __init__(self, folder: Path, text: str = "") -> None:
        rows = [
            f'[[accounts]]\nname = "{name}"\ntoken = "{TOKENS[name]}"\n'
            f'role = "{ROLES.get(name, name)}"\n' + ('seat = "8001"\n' if name == "agent" else "")
            for name in PEOPLE
        ]
        self.config: Config = loads("\n".join([*rows, text]))
        settings = KeeperSettings(
            str(folder / "spool"), f"file:{folder}/store", f"sqlite:///{folder}/index.db"
        )
        (folder / "spool").mkdir()
        self.keeper = Keeper(settings, lambda event: None)
        buffer = io.BytesIO()
        soundfile.write(buffer, sound(), RATE, format="FLAC", subtype="PCM_16")
        self.data = buffer.getvalue()
        self.store = folder / "store"
        for number in range(4):
            self.keep(entry(number, self.data))
        self.meters = Meters()
        self.archive = Archive(self.keeper, Clock(), self.meters, self.config)
        hotline: Any = None
        self.app = create_app(
            hotline,
            self.archive,
            token="the-operator-s-token",
            accounts=self.config.accounts,
            access=self.config.recording_access,
        )
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app), base_url="http://desk"
        )

    def keep(self, one: Entry) -> None:
        path = self.store / one.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.data)
        path.with_name(path.name + ".sha256").write_text(f"{one.sha256}  {path.name}\n")
        same = {
            name: getattr(one, name)
            for name in Manifest.__struct_fields__
            if hasattr(one, name) and name != "parts"
        }
        manifest = Manifest(**same, retention_days=366, retain_until="")
        (self.store / manifest_key(one.key)).write_bytes(encode(manifest))
        self.keeper.vault.index.put(one)

    async def ask(self, who: str, path: str, method: str = "GET", **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {TOKENS[who]}"} if who else {}
        headers |= options.pop("headers", {})
        return await self.client.request(method, f"/api/v1{path}", headers=headers, **options)

    async def log(self) -> list[dict[str, Any]]:
        lines = (await self.ask("auditor", "/accesses")).json()
        return list(reversed(lines))

    async def link(self, who: str = "reviewer", **wanted: Any) -> str:
        answer = await self.ask(who, "/recordings/c1-1/links", "POST", json=wanted)
        assert answer.status_code == 201, answer.text
        url: str = answer.json()["url"]
        return url.removeprefix("/api/v1")

    async def close(self) -> None:
        await self.client.aclose()
        await self.keeper.stop()
