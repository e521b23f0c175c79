"""What a response means to a leg, by the request that it answers and by its class."""

from callcore.message import Response

INVITE_KINDS = ("", "1xx", "2xx", "failure", "failure", "failure", "failure")
OFFER_KINDS = ("", "", "offer 2xx", *4 * ("offer failure",))
BYE_KINDS = ("", "", *5 * ("bye done",))
KINDS = {
    "INVITE": INVITE_KINDS,
    "OFFER": OFFER_KINDS,
    "BYE": BYE_KINDS,
    "PRACK": ("", "", *5 * ("prack done",)),
    "REFRESH": ("", "", "refresh 2xx", *4 * ("refresh failure",)),
    "NOTIFY": ("", "", "notify 2xx", *4 * ("notify failure",)),
}
CHALLENGES = {
    "INVITE": "challenge",
    "OFFER": "offer challenge",
    "BYE": "bye challenge",
    "PRACK": "prack challenge",
    "REFRESH": "refresh challenge",
    "NOTIFY": "notify challenge",
}
GONE = {
    "INVITE": "gone",
    "OFFER": "offer gone",
    "BYE": "bye done",
    "PRACK": "prack done",
    "REFRESH": "refresh gone",
    "NOTIFY": "notify failure",
}
SPECIAL = {
    ("INVITE", 422): "too short",
    ("REFRESH", 408): "refresh gone",
    ("REFRESH", 481): "refresh gone",
    ("OFFER", 491): "offer pending",
    ("OFFER", 408): "offer gone",
    ("OFFER", 481): "offer gone",
}


def kind_of(what: str, response: Response) -> str:
    """The event that a response is, where it is no challenge."""
    status = response.status
    kind = SPECIAL.get((what, status)) or KINDS[what][status // 100]
    if status == 500 and kind == "offer failure" and response.get("Retry-After") is not None:
        return "offer pending"  # RFC 3261 §14.1: they were busy with an offer
    return kind
