"""The configuration's words about calls, as a visit wants them."""

from config.schema import Config
from hotline.visit_state import Policy


def make_policy(config: Config) -> Policy:
    """What holds for a new visit."""
    calls = config.calls
    return Policy(
        agent_leaves=calls.agent_leaves,
        returns=calls.transfer_fails_to,
        most_parties=calls.most_parties,
        ring_seconds=calls.ring_seconds,
        return_seconds=calls.return_seconds,
        desk_seconds=calls.return_seconds,
        confirm_seconds=calls.confirm_seconds,
    )
