"""The configuration's words about calls, as a visit wants them."""

from collections.abc import Callable

from config.schema import Config
from hotline.visit_state import Policy


def make_policy(config: Config, queue: str | None, chance: Callable[[], float]) -> Policy:
    """What holds for a new visit; `chance` decides whether this citizen is asked afterwards."""
    calls, survey, message = config.calls, config.survey, config.message
    asks = any(one.survey for one in config.queues if one.name == queue)
    return Policy(
        agent_leaves=calls.agent_leaves,
        returns=calls.transfer_fails_to,
        most_parties=calls.most_parties,
        ring_seconds=calls.ring_seconds,
        return_seconds=calls.return_seconds,
        desk_seconds=calls.return_seconds,
        confirm_seconds=calls.confirm_seconds,
        tones=calls.tones,
        survey=asks and chance() < survey.rate,
        survey_keys=survey.keys,
        survey_seconds=survey.seconds,
        message=message.after_longest_wait,
        message_seconds=message.seconds,
    )
