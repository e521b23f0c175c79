"""One list of people: what a token, a password and a role each open."""

import pytest

from config.access import approvers_of
from config.loader import loads
from desk.accounts import Accounts, Forbidden, may_use
from desk.custody import concerned
from service.wiring import keeper_settings

HASH = "scrypt:AA:AA"
LI = f'[[accounts]]\nname = "li"\nrole = "custodian"\npassword_hash = "{HASH}"\n'
WANG = (
    '[[accounts]]\nname = "wang"\nrole = "supervisor"\nrights = ["custody"]\n'
    f'token = "token-of-wang-0123"\npassword_hash = "{HASH}"\n'
)
UNIT = '[[accounts]]\nname = "street-office"\nrole = "unit"\ntoken = "token-of-a-unit-0123"\n'


def accounts(*people: str) -> Accounts:
    return Accounts(accounts=loads("\n".join(people)).accounts)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_who_may_approve_is_read_off_the_accounts() -> None:
    config = loads(LI + WANG + UNIT)
    assert approvers_of(config.accounts) == (("li", HASH), ("wang", HASH))
    assert keeper_settings(config).approvers == approvers_of(config.accounts)


def test_a_password_closes_the_desk_as_a_token_does_and_a_missing_token_opens_nothing() -> None:
    assert accounts().is_open
    assert not accounts(LI).is_open
    closed = accounts(LI, WANG)
    assert not closed.is_open
    assert closed.by_token("") is None
    assert closed.who(bearer(""), {"callcore_token": ""}) is None
    found = closed.who(bearer("token-of-wang-0123"), {})
    assert found is not None
    assert found.name == "wang"


def test_a_member_unit_has_a_name_and_no_door_but_its_own() -> None:
    unit = accounts(UNIT).by_token("token-of-a-unit-0123")
    assert unit is not None
    assert (unit.name, unit.rights, unit.is_unit) == ("street-office", frozenset(), True)
    for path in ("/", "/recordings", "/api/v1/recordings", "/api/v1/me", "/static/page.js"):
        assert not may_use(unit, path)


def test_holds_and_deletion_are_shown_to_custodians_and_to_no_reviewer() -> None:
    li = LI.replace("password_hash", 'token = "token-of-li-012345"\npassword_hash')
    reviewer = '[[accounts]]\nname = "qa"\nrole = "reviewer"\ntoken = "token-of-qa-012345"\n'
    known = accounts(li, reviewer)
    custodian, other = (known.by_token(f"token-of-{name}-012345") for name in ("li", "qa"))
    assert custodian is not None
    assert other is not None
    concerned(custodian)
    assert may_use(custodian, "/api/v1/recordings/r1/hold")
    assert not may_use(custodian, "/api/v1/calls")
    with pytest.raises(Forbidden, match="hold recordings"):
        concerned(other)
