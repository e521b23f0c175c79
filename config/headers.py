"""Header fields that no allow-list can pass from one side of a call to the other."""

# Each side of a back-to-back user agent has its own of these (RFC 7092 §3), and identities are
# written by the profile, never copied: a copied one would say what its reader must not believe.
_OWN = (
    "accept allow allow-events authentication-info authorization call-id contact content- "
    "disposition content-encoding content-language content-length content-type cseq diversion "
    "expires from history-info max-forwards mime-version min-expires min-se p-access-network-info "
    "p-asserted-identity p-associated-uri p-called-party-id p-charging-vector p-preferred- "
    "identity p-visited-network-id path privacy proxy-authenticate proxy-authorization proxy- "
    "require rack record-route refer-to referred-by remote-party-id replaces require route rseq "
    "security-client security-server security-verify server service-route session-expires "
    "subscription-state supported timestamp to unsupported user-agent via www-authenticate"
)
OWN_HEADERS = frozenset(_OWN.split())
