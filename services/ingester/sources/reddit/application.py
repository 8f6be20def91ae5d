"""What Reddit knows an application by."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Application:
    """As it was made at https://www.reddit.com/prefs/apps. `user`: whose it is, whom Reddit wants to be told."""

    client_id: str
    secret: str = field(repr=False)
    user: str = ""
