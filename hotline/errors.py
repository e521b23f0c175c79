"""What the hotline refuses to do, and why."""


class NotNow(Exception):
    """A command that does not fit the visit as it is; the message says how it is."""


class BadTarget(Exception):
    """A target that cannot be called from here; `status` is what a REFER for it is answered."""

    def __init__(self, why: str, status: int = 404) -> None:
        super().__init__(why)
        self.status = status
