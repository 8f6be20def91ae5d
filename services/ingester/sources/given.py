"""What a source has given already."""

# Some megabytes. Beyond it the oldest are forgotten, and given again where they come again: stored once all the same.
MAX_REMEMBERED = 20_000


class Given:
    """Ids of posts, in their order. Where a source goes back it is not busy with what it has, as who was cut off for
    being held back would else be.
    """

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def clear(self) -> None:
        self._ids.clear()

    def again(self, post_id: str) -> bool:
        """Whether it was given before; from now on it was."""
        if post_id in self._ids:
            return True
        self._ids[post_id] = None
        if len(self._ids) > MAX_REMEMBERED:
            del self._ids[next(iter(self._ids))]
        return False
