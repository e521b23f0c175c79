"""The timers of RFC 3261 table 4, with L and M of RFC 6026."""

from enum import StrEnum

T1 = 0.5  # seconds; round-trip estimate
T2 = 4.0  # seconds; the longest interval between retransmissions
T4 = 5.0  # seconds; how long a message may stay in the network


class Timer(StrEnum):
    """The names that the RFC's figures use."""

    A = "A"  # INVITE request, retransmission (unreliable)
    B = "B"  # INVITE request, time-out
    C = "C"  # INVITE unanswered for too long (§16.6)
    D = "D"  # wait for retransmitted final responses to INVITE
    E = "E"  # other request, retransmission (unreliable)
    F = "F"  # other request, time-out
    G = "G"  # final response to INVITE, retransmission (unreliable)
    H = "H"  # wait for ACK
    I = "I"  # wait for retransmitted ACK  # noqa: E741
    J = "J"  # wait for retransmitted requests
    K = "K"  # wait for retransmitted responses
    L = "L"  # wait for retransmitted INVITE after a 2xx (RFC 6026)
    M = "M"  # wait for further 2xx (RFC 6026)
