"""More calls than the machine can serve: new ones are refused so that the others stay good.

RFC 3261 §21.5.4, RFC 5390 §7. What counts is how long messages wait until somebody looks at
them. A caller repeats its INVITE after T1, 0.5 s; a refusal costs a twentieth of a call, so that
a few milliseconds of refusing make up for the rest.
"""

START_SECONDS = 0.2
STOP_SECONDS = 0.05


def refuses(refusing: bool, waited_seconds: float) -> bool:
    """Whether to refuse new calls from now on; between the two limits nothing changes."""
    return waited_seconds >= (STOP_SECONDS if refusing else START_SECONDS)
