"""One pjsua2 library in one process: polled by the main thread, no sound hardware, G.711 only.

pjsua2's rules that this file keeps: every Python object that the library calls back is referenced
until the library has let go of it; nothing is destroyed inside a callback; objects go in the order
recorders, players, calls, accounts, library.
"""

from dataclasses import dataclass
from pathlib import Path

import pjsua2 as pj

G711 = ("PCMA", "PCMU")  # in order of preference
MAX_CALLS = 4  # PJSUA_MAX_CALLS of the wheels
CLOCK_RESTS_AFTER_SECONDS = 2


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """Where the phone binds."""

    transport: str = "udp"
    address: str = "127.0.0.1"
    port: int = 0
    log_level: int = 3
    first_rtp_port: int = 0  # 0: pjsua2's choice, from 40000 at random
    codecs: tuple[str, ...] = G711
    ca: Path | None = None  # whose certificates are believed; None: everybody's


class Endpoint:
    """The library, its transport and its sound files."""

    def __init__(self, options: EndpointOptions) -> None:
        self.options = options
        self.library = pj.Endpoint()
        self.library.libCreate()
        self.library.libInit(self._config())
        self.library.audDevManager().setNullDev()
        self._keep_codecs()
        self.transport_id = self._open_transport()
        self.library.libStart()
        self.players: dict[Path, pj.AudioMediaPlayer] = {}

    def _config(self) -> "pj.EpConfig":
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.maxCalls = MAX_CALLS
        config.uaConfig.userAgent = "callcore-softphone (pjsua2)"
        config.logConfig.level = self.options.log_level
        config.logConfig.consoleLevel = 0
        config.logConfig.filename = "/dev/stderr"  # unbuffered there, unlike the console
        config.logConfig.msgLogging = self.options.log_level >= 5
        media = config.medConfig
        media.clockRate = media.sndClockRate = 8000
        media.channelCount = 1
        media.quality = 1
        media.ecTailLen = 0
        media.noVad = True
        media.threadCnt = 1
        # Between calls the clock thread rests, but not before it has let go of the last call's
        # recorder: the bridge takes ports away in its ticks, and a stopped one keeps the file open.
        media.sndAutoCloseTime = CLOCK_RESTS_AFTER_SECONDS
        return config

    def _keep_codecs(self) -> None:
        priorities = {name: 255 - place for place, name in enumerate(self.options.codecs)}
        for codec in self.library.codecEnum2():
            priority = priorities.get(codec.codecId.split("/")[0], 0)
            self.library.codecSetPriority(codec.codecId, priority)

    def _open_transport(self) -> int:
        config = pj.TransportConfig()
        config.port = self.options.port
        config.boundAddress = self.options.address
        config.publicAddress = self.options.address
        kinds = {
            "udp": pj.PJSIP_TRANSPORT_UDP,
            "tcp": pj.PJSIP_TRANSPORT_TCP,
            "tls": pj.PJSIP_TRANSPORT_TLS,
        }
        if self.options.ca is not None:
            config.tlsConfig.CaListFile = str(self.options.ca)
            config.tlsConfig.verifyServer = True
        return int(self.library.transportCreate(kinds[self.options.transport], config))

    @property
    def address(self) -> str:
        """host:port of the SIP transport."""
        return str(self.library.transportGetInfo(self.transport_id).localAddress)

    def player(self, path: Path) -> "pj.AudioMediaPlayer":
        """The looping player of a WAV; one for all calls that hear it."""
        if path not in self.players:
            player = pj.AudioMediaPlayer()
            player.createPlayer(str(path))
            self.players[path] = player
        return self.players[path]

    def poll(self, milliseconds: int) -> None:
        """Lets the library work for up to so long: it calls back from here only."""
        self.library.libHandleEvents(milliseconds)

    def destroy(self) -> None:
        """The last step; accounts and calls must be gone."""
        self.players.clear()
        self.library.libDestroy(pj.PJSUA_DESTROY_NO_NETWORK)  # the phone has said its goodbyes
