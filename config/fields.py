"""Kinds of fields that tables of the configuration share."""

import ipaddress
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from config.secret import Secret
from config.table import Allowed


def parsed(parse: Callable[[str], Any], kind: type) -> BeforeValidator:
    """Turn the string into its value; a value (from a test, or a default) is left alone."""

    def validate(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        if not isinstance(value, str):
            raise ValueError("not a string")
        return parse(value)

    return BeforeValidator(validate)


def _ip(value: str) -> str:
    return str(ipaddress.ip_address(value)) if value else value


IpOrNone = Annotated[str, AfterValidator(_ip), Allowed("an IP address, or empty")]
Ip = Annotated[str, Field(min_length=1), AfterValidator(_ip), Allowed("an IP address")]
PhoneOrNone = Annotated[
    str, Field(pattern=r"^(\+?[0-9]{2,20})?$"), Allowed("a phone number in digits, or empty")
]
User = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_.+-]{1,64}$"),
    Allowed("1 to 64 letters, digits or any of _ . + -"),
]
Name = Annotated[
    str,
    Field(pattern=r"^[\w.+-]{1,64}$"),
    Allowed("1 to 64 letters, digits or any of _ . + -"),
]
Password = Annotated[Secret, Field(min_length=1)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
PositiveSeconds = Annotated[float, Field(gt=0, le=86_400)]
