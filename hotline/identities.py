"""Which number of ours a call shows, by [[caller_ids]]: by number, reason, queue and trunk."""

from callcore.call.fraud import TollGuard
from callcore.call.placement import Party
from callcore.call.settings import OutboundSettings
from config.caller_ids import CallerId
from hotline.parties import Target


class Identities:
    """The first rule that fits; pure."""

    def __init__(self, rules: tuple[CallerId, ...], outbound: OutboundSettings) -> None:
        self._rules = rules
        self._kind = TollGuard(outbound, (), bool).kind

    def shown(self, target: Target, uses: str, queue: str, usual: Party) -> Party:
        """Who calls `target`, as the far end is to see it."""
        for rule in self._rules:
            if self._fits(rule, target, uses, queue):
                # Where our number stands for the caller's, theirs is not told in words either.
                display = "" if rule.number else usual.display
                withheld = rule.withheld or (usual.withheld and not rule.number)
                return Party(usual.number, display, withheld, rule.number)
        return usual

    def _fits(self, rule: CallerId, target: Target, uses: str, queue: str) -> bool:
        return (
            (not rule.reasons or uses in rule.reasons)
            and (not rule.queues or queue in rule.queues)
            and (not rule.trunks or target.trunk in rule.trunks)
            and (not rule.classes or self._kind(target.number) in rule.classes)
        )
