from dataclasses import dataclass
from callcore.flow import Flow
@dataclass(frozen=True, slots=True)
class Registered:
    user: str
    contact: str
    flow: Flow
@dataclass(frozen=True, slots=True)
class Unregistered:
    user: str
    why: str
