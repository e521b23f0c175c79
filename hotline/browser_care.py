"""What becomes of calls when the gateway's side fails: the seat's leg is saved, or given up."""

from collections.abc import Callable

import structlog

from callcore.errors import LocalProtocolError
from hotline.events import Alert
from hotline.parts import Parts
from media import events as media
from media.errors import LocalProtocolError as MediaError

log = structlog.get_logger("hotline")


class BrowserCare:
    """Hears the gateway; `on_media` is told what the plane would tell of a dead phone."""

    def __init__(self, parts: Parts, on_media: Callable[[media.Event], None]) -> None:
        self._parts = parts
        self._on_media = on_media

    def hear(self, event: media.Event) -> None:
        """A fact of the gateway."""
        if isinstance(event, media.GatewayLost):
            self._lost(event)
        elif isinstance(event, media.GatewayFailed):
            # As a phone without a word: its citizen waits again, with the original time.
            log.warning("browser lost", leg=event.leg, why=event.why)
            self._on_media(media.RtpTimeout(event.leg))

    def _lost(self, event: media.GatewayLost) -> None:
        """Each browser is told by re-INVITE where its next gateway is (RFC 8839 §4.4.1)."""
        log.error("gateway lost", gateway=event.gateway, legs=len(event.legs))
        parts = self._parts
        alert = Alert("gateway", f"gateway {event.gateway} was replaced", str(event.gateway))
        parts.hub.publish(parts.clock.wall_ms(), alert)
        for leg in event.legs:
            try:
                parts.sip.offer(leg, parts.media.renew(leg))
            except (LocalProtocolError, MediaError) as error:
                log.warning("browser's leg not saved", leg=leg, why=str(error))
                parts.sip.hang_up(leg, "media lost")
