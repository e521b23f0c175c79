"""Names of header fields: any case and any compact form lead to one key.

RFC 3261 §7.3.1 (case), §7.3.3 and §20 (compact forms), RFC 3515, 3841, 3891, 4028, 6665.
"""

from __future__ import annotations

from callcore.errors import RemoteProtocolError
from callcore.message.grammar import is_token

COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}

_USUAL = (
    "Accept Accept-Contact Accept-Encoding Accept-Language Alert-Info Allow Allow-Events "
    "Authentication-Info Authorization Call-ID Call-Info Contact Content-Disposition "
    "Content-Encoding Content-Language Content-Length Content-Type CSeq Date Diversion "
    "Error-Info Event Expires Feature-Caps From Geolocation History-Info Identity Info-Package "
    "In-Reply-To Join Max-Forwards MIME-Version Min-Expires Min-SE Organization "
    "P-Access-Network-Info P-Asserted-Identity P-Associated-URI P-Called-Party-ID "
    "P-Charging-Vector P-Early-Media P-Preferred-Identity P-Visited-Network-ID Path Priority "
    "Privacy Proxy-Authenticate Proxy-Authorization Proxy-Require RAck Reason Record-Route "
    "Recv-Info Refer-Sub Refer-To Referred-By Reject-Contact Remote-Party-ID Replaces Reply-To "
    "Request-Disposition Require Retry-After Route RSeq Security-Client Security-Server "
    "Security-Verify Server Service-Route Session-Expires SIP-ETag SIP-If-Match Subject "
    "Subscription-State Supported Timestamp To Unsupported User-Agent User-to-User Via "
    "Warning WWW-Authenticate X-Call-ID"
)

# Fields of which a message holds at most one value (RFC 3261 §7.3.1 and table 2).
_SINGLE = (
    "call-id content-disposition content-length content-type cseq date event expires from "
    "max-forwards mime-version min-expires min-se organization priority rack refer-to referred-by "
    "replaces reply-to retry-after rseq server session-expires sip-etag sip-if-match subject "
    "subscription-state timestamp to user-agent"
)
SINGLE = frozenset(_SINGLE.split())

# Every usual way to write a known name; filled once, never at run time, so no peer can grow it.
KEYS: dict[str, str] = {}
for _name in _USUAL.split():
    for _spelling in (_name, _name.lower(), _name.upper(), _name.title()):
        KEYS[_spelling] = _name.lower()
for _letter, _name in COMPACT.items():
    KEYS[_letter] = KEYS[_letter.upper()] = _name


def key_of(name: str) -> str:
    """The lower-case long form of a header field's name; RemoteProtocolError if it is none.

    RFC 3261 §25.1: HCOLON allows white space between the name and its colon.
    """
    known = KEYS.get(name)
    if known is not None:
        return known
    bare = name.rstrip(" \t")
    if not is_token(bare):
        raise RemoteProtocolError("a header field's name is not a token", where="Framing")
    lower = bare.lower()
    return COMPACT.get(lower, lower)
