"""What a caller of the media plane can do wrong."""


class LocalProtocolError(Exception):
    """A mistake of ours: an unknown leg, legs of one bridge in two workers, no port left."""


class NotStarted(RuntimeError):
    """A worker ended, or was silent, instead of getting ready; its own log says why."""
