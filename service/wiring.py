"""The configuration's words turned into each part's own settings."""

import os
from dataclasses import fields, replace
from pathlib import Path

from callcore.call.numbers import make_rules
from callcore.call.profile import Profile
from callcore.call.settings import (
    AuthSettings,
    BanSettings,
    EngineSettings,
    NumberClass,
    OutboundSettings,
    Registration,
    Seat,
    Trunk,
)
from callcore.call.terms import SEAT
from callcore.io.certificates import TlsSettings, Trust
from callcore.io.resolve import ResolverSettings
from callcore.io.server import ServerSettings
from config import sip as sip_schema
from config.access import approvers_of
from config.schema import Config
from config.security import Security, number_classes
from config.values import TRANSPORTS, WEB_TRANSPORTS, is_wildcard
from hotline.media_legs import Terms
from hotline.sound import RINGBACK
from media.io.gateway import GatewaySettings
from media.io.plane import MediaSettings
from media.spoken import SNIPPETS
from media.tones import Tone
from recorder.io.keeper import KeeperSettings
from recorder.io.kms import KeySettings
from recorder.io.store import S3Options
from service.queues import acd_settings as acd_settings

PROMPTS = Path(__file__).parent.parent / "media" / "prompts"
SINK = "recorder.io.spool:SpoolSink"


def engine_settings(config: Config) -> EngineSettings:
    """Seats and trunks as the SIP engine wants them."""
    seats = {
        seat.user: Seat(seat.user, seat.password.get_secret_value(), seat.name)
        for seat in config.seats
    }
    return EngineSettings(
        domain=config.sip.domain,
        seats=seats,
        trunks=tuple(trunk_settings(trunk) for trunk in config.trunks),
        auth=AuthSettings(algorithms=config.security.digest_algorithms),
        bans=ban_settings(config.security),
        advertised=advertised(config.sip.public_address),
        secure_seats=config.sip.seats_over_tls,
        outbound=outbound_settings(config),
        seat_terms=replace(SEAT, transfers=True),
    )


def advertised(public_address: str) -> dict[str, str]:
    """The host that peers are told, whatever the transport; none: the listener's own."""
    return dict.fromkeys(TRANSPORTS, public_address) if public_address else {}


def server_settings(config: Config) -> ServerSettings:
    """Certificates, and whom to ask for names."""
    sip = config.sip
    return ServerSettings(
        tls=TlsSettings(
            certificate=sip.certificate,
            key=sip.key,
            client_check=sip.client_certificates,
            client_ca=sip.client_ca,
            trusts={trunk.name: trust_of(trunk) for trunk in config.trunks},
        ),
        resolver=ResolverSettings(nameservers=sip.nameservers),
        watch_seconds=sip.certificate_check_seconds,
    )


def trust_of(trunk: sip_schema.Trunk) -> Trust:
    """How an operator's certificate is judged, and what it is shown."""
    return Trust(trunk.verify_certificate, trunk.ca, trunk.certificate, trunk.key)


def ban_settings(security: Security) -> BanSettings:
    """Who is not listened to."""
    return BanSettings(security.ban_failures, security.ban_window_seconds, security.ban_seconds)


def outbound_settings(config: Config) -> OutboundSettings:
    """What seats may dial."""
    outbound = config.outbound
    return OutboundSettings(
        classes=tuple(
            NumberClass(one.name, one.patterns) for one in number_classes(config.number_classes)
        ),
        allowed=frozenset(outbound.allowed),
        country_code=outbound.country_code,
        seat_calls=outbound.seat_calls,
        seat_calls_a_day=outbound.seat_calls_a_day,
        calls_a_day=outbound.calls_a_day,
    )


def trunk_settings(trunk: sip_schema.Trunk) -> Trunk:
    """One trunk; a registering one keeps its five names apart (IMS)."""
    registration = None
    if trunk.mode == "register":
        registration = Registration(
            user=trunk.user,
            password=trunk.password.get_secret_value(),
            impu=trunk.impu or f"sip:{trunk.user}@{trunk.registrar}",
            registrar=trunk.registrar,
            proxy=trunk.proxy,
            realm=trunk.realm,
            transport=trunk.transport,
            expires_seconds=trunk.expires_seconds,
        )
    return Trunk(
        name=trunk.name,
        peers=tuple(str(peer) for peer in trunk.peers),
        registration=registration,
        outbound_number=trunk.outbound_number,
        max_calls=trunk.max_calls,
        calls_per_second=trunk.calls_per_second,
        probe_seconds=trunk.probe_seconds,
        answer_seconds=trunk.answer_seconds,
        profile=profile_settings(trunk),
        certificate_name=trunk.certificate_name,
    )


def profile_settings(trunk: sip_schema.Trunk) -> Profile:
    """What the operator wants, the rules for numbers made ready for use."""
    same = {field.name: getattr(trunk, field.name) for field in fields(Profile)}
    for name in ("numbers_in", "numbers_out"):
        rows = [(rule.prefix, rule.pattern, rule.to) for rule in getattr(trunk, name)]
        same[name] = make_rules(rows, country=trunk.country, area=trunk.area)
    return Profile(**same)


def media_settings(config: Config) -> MediaSettings:
    """The media plane: ports, workers, prompts, and where its taps write."""
    names = {n for queue in config.queues for n in (queue.announcement, queue.music) if n}
    names |= {RINGBACK, config.calls.confirm, config.survey.prompt, config.survey.thanks}
    names |= {config.message.prompt}
    names |= {entry.announcement for entry in config.calendar if entry.announcement}
    names |= {queue.callback.prompt for queue in config.queues if queue.callback.prompt}
    prompts = {name: str(prompt_path(name)) for name in sorted(names) if not is_tone(name)}
    return MediaSettings(
        address=config.media.address,
        first_port=config.media.ports.first,
        last_port=config.media.ports.last,
        workers=config.media.workers or os.cpu_count() or 1,
        prompts=prompts | snippets(config.media.snippets),
        sink=SINK,
        sink_arguments={
            "folders": config.recordings.spool,
            "sync_seconds": config.recordings.sync_seconds,
        },
        rtp_timeout_seconds=config.media.rtp_timeout_seconds,
        heartbeat_timeout_seconds=config.media.stuck_seconds,
        realtime=config.media.realtime,
        cpus=config.media.cpus,
        sockets=config.media.sockets,
        spare=config.media.spare,
        tones={tone.name: Tone(tone.hertz, tone.cadence, tone.dbm0) for tone in config.tones},
    )


def is_tone(prompt: str) -> bool:
    """Whether it is made and not read from a file."""
    return prompt.startswith("tone:")


def snippets(folder: str) -> dict[str, str]:
    """The words of announcements: the customer's, and ours for those that are not there."""
    found = {}
    for name in SNIPPETS:
        own = Path(folder) / f"{name}.wav"
        found[f"cmn/{name}"] = str(
            own if folder and own.exists() else prompt_path(f"cmn/{name}.wav")
        )
    return found


def leg_terms(config: Config) -> Terms:
    """How legs are described."""
    media = config.media
    seats = {seat.user: seat.srtp for seat in config.seats}
    trunks = {trunk.name: trunk.srtp for trunk in config.trunks}
    return Terms(
        media.public_address,
        media.srtp,
        media.codecs,
        srtp_of=lambda seat: seats.get(seat, ""),
        trunk_srtp=lambda trunk: trunks.get(trunk, ""),
    )


def gateway_settings(config: Config) -> GatewaySettings | None:
    """The browser seats' gateway; None when no browser can register, or none shall be served."""
    gateway, media = config.gateway, config.media
    is_web = any(listen.transport in WEB_TRANSPORTS for listen in config.sip.listen)
    if not (is_web and gateway.enabled):
        return None
    address = gateway.address or media.address
    shown = [gateway.public_address or media.public_address, address]
    loopback = "::1" if ":" in media.address else "127.0.0.1"
    return GatewaySettings(
        address=address,
        shown=tuple(dict.fromkeys(one for one in shown if one and not is_wildcard(one))),
        first_port=gateway.ports.first,
        last_port=gateway.ports.last,
        plain=loopback if is_wildcard(media.address) else media.address,
        processes=gateway.processes,
        connect_seconds=gateway.connect_seconds,
        consent_seconds=gateway.consent_seconds,
    )


def prompt_path(name: str) -> Path:
    """A prompt of the customer's (a path), or else one of ours by that name."""
    own = Path(name)
    return own if own.exists() else PROMPTS / name


def keeper_settings(config: Config) -> KeeperSettings:
    """The recorder: spool, store, index."""
    recordings = config.recordings
    return KeeperSettings(
        spool=recordings.spool,
        low_free_bytes=recordings.spool_low_mib << 20,
        keep_hours=recordings.keep_hours,
        format=recordings.format,
        store=str(recordings.store),
        database_url=config.database.url.get_secret_value(),
        retention_days=recordings.retention_days,
        endpoint=recordings.endpoint,
        region=recordings.region,
        access_key=recordings.access_key.get_secret_value(),
        secret_key=recordings.secret_key.get_secret_value(),
        keys=KeySettings(
            recordings.key.get_secret_value(),
            tuple(key.get_secret_value() for key in recordings.old_keys),
            recordings.kms,
            recordings.region,
        ),
        s3=S3Options(
            recordings.addressing,
            recordings.checksum,
            recordings.sse,
            recordings.sse_key,
            recordings.object_lock,
            recordings.part_mib << 20,
        ),
        approvers=approvers_of(config.accounts),
        guard_per_day=recordings.guard_per_day,
        apart=True,
    )
