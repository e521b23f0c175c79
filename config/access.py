"""Who there is and what each may do, and how recordings are listened to."""

import base64
from collections.abc import Iterable
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, SecretStr

from config.fields import PositiveSeconds, User
from config.passwords import PATTERN
from config.secret import Secret
from config.table import Allowed, Table

Right = Literal[
    "search",
    "listen",
    "download",
    "export",
    "reveal",
    "audit",
    "score",
    "manage",
    "operate",
    "custody",
]
RIGHTS: tuple[Right, ...] = get_args(Right)
Role = Literal["agent", "supervisor", "reviewer", "auditor", "custodian", "unit", "admin"]
ROLES: dict[Role, frozenset[Right]] = {
    "agent": frozenset(("search", "listen")),  # their own seat's alone
    "supervisor": frozenset(
        ("search", "listen", "download", "reveal", "score", "manage", "operate")
    ),
    "reviewer": frozenset(("search", "listen", "score")),
    "auditor": frozenset(("search", "listen", "audit")),
    "custodian": frozenset(("search", "custody")),
    "unit": frozenset(),  # what a member unit may use, desk/masking.py says
    "admin": frozenset(RIGHTS),
}


def _key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text and len(base64.b64decode(text, validate=True)) < 32:
        raise ValueError("less than 32 bytes")
    return value


class Account(Table):
    """Somebody, or a member unit, who may do something here; write [[accounts]] once for each.

    Without any, whoever has the [http] token, or is on loopback where none is set, has
    every right. See [who may do what](recording-access.md).
    """

    name: User = Field(description="who it is, as the audit log says")
    token: Annotated[Secret, Field(min_length=16)] = Field(
        default=SecretStr(""),
        description="what requests show as `Authorization: Bearer TOKEN`; 16 characters at least",
    )
    password_hash: str = Field(
        default="",
        pattern=f"{PATTERN}|^$",
        description="in place of a token, or beside it, as `callcore user add` writes it: of the "
        "password that browsers ask for, and that the right `custody` asks for each time",
        json_schema_extra={"allowed": "a line that `callcore user add` wrote"},
    )
    role: Role = Field(
        description="agent: search and listen, their own seat's recordings; supervisor: also "
        "download, reveal, score, manage, operate, all seats'; reviewer: search, listen, score; "
        "auditor: search, listen, audit; custodian: search, custody (holds, and deletion by two); "
        "unit: a member unit, which sees numbers masked and has citizens called by call, callback "
        "or work order; admin: everything"
    )
    rights: Annotated[tuple[Right, ...], Field(strict=False)] = Field(
        default=(), description="rights beside the role's"
    )
    seat: str = Field(
        default="", max_length=64, description="an agent's seat; empty = the account's name"
    )


def rights_of(account: Account) -> frozenset[Right]:
    """The role's, and those beside."""
    return ROLES[account.role] | frozenset(account.rights)


def approvers_of(accounts: Iterable[Account]) -> tuple[tuple[str, str], ...]:
    """Names and hashes of those who may hold recordings and delete them, two at a time."""
    able = (one for one in accounts if one.password_hash and "custody" in rights_of(one))
    return tuple((one.name, one.password_hash) for one in able)


class RecordingAccess(Table):
    """How recordings are heard and handed out. See [recordings](recordings.md)."""

    link_seconds: PositiveSeconds = Field(
        default=300, description="how long a signed link to a recording can be used"
    )
    link_key: Annotated[
        Secret, AfterValidator(_key), Allowed("32 bytes or more in base64, or empty")
    ] = Field(
        default=SecretStr(""),
        description="what links are signed with; empty = made at each start, for one node",
    )
    reason_required: bool = Field(
        default=False, description="nobody listens, downloads or reveals without giving a reason"
    )
    watermark: Literal["none", "text", "tone"] = Field(
        default="none",
        description="text: the listener's name in the file; tone: in the sound as well, softly. "
        "With either, recordings are played as WAV",
    )
    watermark_dbfs: float = Field(
        default=-46.0, ge=-70, le=-20, description="how loud the tone is, against full scale"
    )
    export_recordings: int = Field(
        default=1000, ge=1, le=100_000, description="the most recordings of one export"
    )
    export_mib: int = Field(
        default=4096, ge=1, le=1_048_576, description="the most MiB of one export"
    )
    mask_numbers: bool = Field(
        default=True,
        description="numbers show their first three and last two digits, unless revealed",
    )
