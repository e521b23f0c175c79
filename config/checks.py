"""What must hold between the keys of a configuration, where each of them alone is sound."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from config.quality import score_cards
from config.queues import is_able
from config.schema import Config
from config.security import number_classes
from config.sip import Trunk
from config.sounds import BUILT_IN
from config.values import SECURE_TRANSPORTS, WEB_TRANSPORTS, is_loopback, is_wildcard

Key = tuple[str | int, ...]
READABLE = "a file that exists and can be read"


@dataclass(frozen=True, slots=True)
class Clash:
    """A key that does not go with another one."""

    key: Key
    value: str
    allowed: str


def clashes(config: Config) -> list[Clash]:
    """All of them, in the order of the tables."""
    return [clash for check in CHECKS for clash in check(config)]


def _repeated(table: str, field: str, values: Iterable[str]) -> Iterator[Clash]:
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        if value in first:
            told = f"each {field} once; [[{table}]] number {first[value] + 1} has it already"
            yield Clash((table, index, field), value, told)
        first.setdefault(value, index)


def _names(config: Config) -> Iterator[Clash]:
    yield from _repeated("trunks", "name", (trunk.name for trunk in config.trunks))
    yield from _repeated("seats", "user", (seat.user for seat in config.seats))
    yield from _repeated("queues", "name", (queue.name for queue in config.queues))
    yield from _repeated("tones", "name", (tone.name for tone in config.tones))
    yield from _repeated("routes", "number", (route.number for route in config.routes))
    yield from _repeated("callers", "number", (caller.number for caller in config.callers))
    yield from _repeated("accounts", "name", (account.name for account in config.accounts))
    yield from _repeated("sampling_rules", "name", (rule.name for rule in config.sampling_rules))
    yield from _repeated("score_cards", "name", (card.name for card in config.score_cards))


def _accounts(config: Config) -> Iterator[Clash]:
    """A token is the only thing that tells one account from another, unless it has a password."""
    seen = {config.http.token.get_secret_value()} - {""}
    for index, account in enumerate(config.accounts):
        token = account.token.get_secret_value()
        if token and token in seen:
            told = "a token of its own: another account, or [http], has it already"
            yield Clash(("accounts", index, "token"), "(hidden)", told)
        seen.add(token)
        if not token and not account.password_hash:
            told = "missing: a token, or a password_hash (`callcore user add` writes one)"
            yield Clash(("accounts", index, "token"), "", told)
        if account.role == "unit" and account.rights:
            told = "empty: a member unit has what masking leaves it, and no more"
            yield Clash(("accounts", index, "rights"), ", ".join(account.rights), told)


def _quality(config: Config) -> Iterator[Clash]:
    cards = [card.name for card in score_cards(config.score_cards)]
    for index, rule in enumerate(config.sampling_rules):
        if rule.card and rule.card not in cards:
            told = f"the name of a score card: {', '.join(cards)}"
            yield Clash(("sampling_rules", index, "card"), rule.card, told)


def _listeners(config: Config) -> Iterator[Clash]:
    seen: set[str] = set()
    for index, listen in enumerate(config.sip.listen):
        if listen.port and str(listen) in seen:
            yield Clash(("sip", "listen", index), str(listen), "each address once")
        seen.add(str(listen))
    shown = {listen.host for listen in config.sip.listen}
    media = config.media
    for index, listen in enumerate(config.sip.listen):
        same_host = listen.host == media.address or is_wildcard(listen.host)
        if (
            listen.transport == "udp"
            and same_host
            and media.ports.first <= listen.port <= media.ports.last
        ):
            told = f"a port outside of [media] ports ({media.ports})"
            yield Clash(("sip", "listen", index), str(listen), told)
    if any(is_wildcard(host) for host in (media.address, *shown)) and not media.public_address:
        told = "the address that others reach us at, because 0.0.0.0 or :: is listened on"
        yield Clash(("media", "public_address"), "", told)


def _gateway(config: Config) -> Iterator[Clash]:
    """The gateway's ports beside all others that UDP is bound to on the same address."""
    gateway, media = config.gateway, config.media
    if not any(one.transport in WEB_TRANSPORTS for one in config.sip.listen):
        return
    count = gateway.ports.last - gateway.ports.first + 1
    if count < gateway.processes:
        told = f"at least {gateway.processes} ports, one for each process"
        yield Clash(("gateway", "ports"), str(gateway.ports), told)
    host = gateway.address or media.address
    if is_wildcard(host) and not (gateway.public_address or media.public_address):
        told = "the address that browsers reach us at, because 0.0.0.0 or :: is listened on"
        yield Clash(("gateway", "public_address"), "", told)
    if (host == media.address or is_wildcard(host) or is_wildcard(media.address)) and (
        gateway.ports.first <= media.ports.last and media.ports.first <= gateway.ports.last
    ):
        told = f"ports outside of [media] ports ({media.ports})"
        yield Clash(("gateway", "ports"), str(gateway.ports), told)


def _certificates(config: Config) -> Iterator[Clash]:
    sip = config.sip
    secure = [str(one) for one in sip.listen if one.transport in SECURE_TRANSPORTS]
    needed = dict.fromkeys(("certificate", "key"), f"{next(iter(secure), '')} needs one")
    if sip.client_certificates != "none":
        needed["client_ca"] = f'client_certificates is "{sip.client_certificates}"'
    files = {"certificate": sip.certificate, "key": sip.key, "client_ca": sip.client_ca}
    for field, path in files.items():
        if secure and field in needed and not path:
            yield Clash(("sip", field), "", f"a PEM file, because {needed[field]}")
        elif path and not os.access(path, os.R_OK):
            yield Clash(("sip", field), path, READABLE)


def _trunk_certificates(config: Config) -> Iterator[Clash]:
    for index, trunk in enumerate(config.trunks):
        files = {"ca": trunk.ca, "certificate": trunk.certificate, "key": trunk.key}
        for field, path in files.items():
            if path and not os.access(path, os.R_OK):
                yield Clash(("trunks", index, field), path, READABLE)
        if bool(trunk.certificate) is not bool(trunk.key):
            field = "key" if trunk.certificate else "certificate"
            yield Clash(("trunks", index, field), "", "certificate and key both, or neither")


def _secure_seats(config: Config) -> Iterator[Clash]:
    if config.sip.seats_over_tls and not any(
        listen.transport in SECURE_TRANSPORTS for listen in config.sip.listen
    ):
        told = "false, or a tls:// or wss:// address in listen: no seat could register"
        yield Clash(("sip", "seats_over_tls"), "true", told)


def _calls(config: Config) -> Iterator[Clash]:
    names = [trunk.name for trunk in config.trunks]
    for field in ("trunk", "platform_trunk"):
        value = getattr(config.calls, field)
        if value and value not in names:
            told = "the name of a trunk: " + (", ".join(names) or "there is none yet")
            yield Clash(("calls", field), value, told)
    for index, seat in enumerate(config.seats):
        if seat.remote and not (seat.mobile and names):
            told = "false, or a mobile for the seat and a trunk to call it by"
            yield Clash(("seats", index, "remote"), "true", told)


def _classes(config: Config) -> Iterator[Clash]:
    classes = number_classes(config.number_classes)
    yield from _repeated("number_classes", "name", (one.name for one in config.number_classes))
    known = {one.name for one in classes}
    for index, name in enumerate(config.outbound.allowed):
        if name not in known:
            told = "the name of a number class: " + ", ".join(sorted(known))
            yield Clash(("outbound", "allowed", index), name, told)


def _caller_ids(config: Config) -> Iterator[Clash]:
    known = {
        "classes": {one.name for one in number_classes(config.number_classes)},
        "queues": {queue.name for queue in config.queues},
        "trunks": {trunk.name for trunk in config.trunks},
    }
    for index, rule in enumerate(config.caller_ids):
        for field, names in known.items():
            for number, name in enumerate(getattr(rule, field)):
                if name not in names:
                    told = f"one of the {field}: " + (", ".join(sorted(names)) or "there is none")
                    yield Clash(("caller_ids", index, field, number), name, told)
        if not rule.number and not rule.withheld:
            yield Clash(("caller_ids", index, "number"), "", "a number, or withheld = true")


def _trunk_modes(config: Config) -> Iterator[Clash]:
    for index, trunk in enumerate(config.trunks):
        if trunk.mode == "static":
            if not trunk.peers:
                told = 'at least one address or network in mode "static"'
                yield Clash(("trunks", index, "peers"), "[]", told)
            continue
        for field in _missing_for_registering(trunk):
            told = 'not empty in mode "register"'
            yield Clash(("trunks", index, field), "", told)


def _missing_for_registering(trunk: Trunk) -> list[str]:
    given = {
        "user": trunk.user,
        "password": trunk.password.get_secret_value(),
        "registrar": trunk.registrar,
    }
    return [field for field, value in given.items() if not value]


def _trunk_peers(config: Config) -> Iterator[Clash]:
    peers = [
        (index, number, trunk.name, peer)
        for index, trunk in enumerate(config.trunks)
        for number, peer in enumerate(trunk.peers)
    ]
    for (_, _, name, one), (index, number, other_name, other) in itertools.combinations(peers, 2):
        if name != other_name and one.overlaps(other):
            told = f"no address that trunk {name} has too (in {one})"
            yield Clash(("trunks", index, "peers", number), str(other), told)


def _tones(config: Config) -> Iterator[Clash]:
    known = {*BUILT_IN, *(tone.name for tone in config.tones)}
    for index, queue in enumerate(config.queues):
        for field in ("announcement", "music"):
            kind, _, name = getattr(queue, field).partition(":")
            if kind == "tone" and name not in known:
                told = "tone: and one of " + ", ".join(sorted(known))
                yield Clash(("queues", index, field), f"tone:{name}", told)


def _queues(config: Config) -> Iterator[Clash]:
    known = {queue.name for queue in config.queues}
    for index, route in enumerate(config.routes):
        if route.queue not in known:
            told = "the name of a queue: " + (", ".join(sorted(known)) or "there is none yet")
            yield Clash(("routes", index, "queue"), route.queue, told)
    agents = [seat.skills for seat in config.seats if seat.role == "agent"]
    for index, queue in enumerate(config.queues):
        if not any(is_able(skills, queue.skills) for skills in agents):
            told = "skills that at least one agent's seat has, all of them together"
            shown = "[" + ", ".join(f'"{skill}"' for skill in queue.skills) + "]"
            yield Clash(("queues", index, "skills"), shown, told)


def _calendar(config: Config) -> Iterator[Clash]:
    queues = {queue.name for queue in config.queues}
    seats = {seat.user for seat in config.seats}
    for index, entry in enumerate(config.calendar):
        for number, name in enumerate(entry.queues):
            if name not in queues:
                told = "the name of a queue: " + (", ".join(sorted(queues)) or "there is none yet")
                yield Clash(("calendar", index, "queues", number), name, told)
    for index, caller in enumerate(config.callers):
        if caller.agent and caller.agent not in seats:
            yield Clash(("callers", index, "agent"), caller.agent, "the user of a seat")


def _stores(config: Config) -> Iterator[Clash]:
    keys = {
        "access_key": config.recordings.access_key.get_secret_value(),
        "secret_key": config.recordings.secret_key.get_secret_value(),
    }
    if any(keys.values()) and not all(keys.values()):
        missing = next(field for field, value in keys.items() if not value)
        told = "access_key and secret_key both, or neither of them"
        yield Clash(("recordings", missing), "", told)
    store = config.recordings.store
    taken = {os.path.abspath(store.path)} if store.kind == "file" else set()
    for index, folder in enumerate(config.recordings.spool):
        if os.path.abspath(folder) in taken:
            told = "another folder than the store's, which it is emptied into, and than the others"
            at = ("recordings", "spool", index) if index else ("recordings", "spool")
            yield Clash(at, folder, told)
        taken.add(os.path.abspath(folder))


def _encryption(config: Config) -> Iterator[Clash]:
    if config.recordings.kms and config.recordings.key.get_secret_value():
        told = "empty, because key is given as well: one of them wraps what is new"
        yield Clash(("recordings", "kms"), config.recordings.kms, told)


def _tokens(config: Config) -> Iterator[Clash]:
    listen = config.http.listen
    closed = config.http.token.get_secret_value() or config.accounts
    if not is_loopback(listen.host) and not closed:
        told = f"a token, because {listen} can be reached from other machines"
        yield Clash(("http", "token"), "", told)


def _cluster(config: Config) -> Iterator[Clash]:
    if config.cluster.url.get_secret_value() and not config.engine.journal:
        told = "a folder: [cluster] url is given, and the journal is what the nodes share"
        yield Clash(("engine", "journal"), "", told)


CHECKS: tuple[Callable[[Config], Iterator[Clash]], ...] = (
    _names,
    _listeners,
    _gateway,
    _certificates,
    _trunk_certificates,
    _secure_seats,
    _calls,
    _classes,
    _caller_ids,
    _trunk_modes,
    _trunk_peers,
    _queues,
    _tones,
    _calendar,
    _stores,
    _encryption,
    _tokens,
    _accounts,
    _quality,
    _cluster,
)
