"""All rules, one after the other."""

from typing import Literal, get_args

from services.common.messages import Post
from services.common.rule_settings import Masked, read_languages, read_masked
from services.common.rules.duplicates import Duplicates, NearDuplicates, normalized
from services.common.rules.language import make_language_filter
from services.common.rules.masking import make_mask
from services.common.settings import Settings

Reason = Literal["too_short", "too_long", "language", "duplicate", "near_duplicate"]
REASONS: tuple[Reason, ...] = get_args(Reason)


class Rules:
    """Those of one process: it knows its own posts only."""

    def __init__(
        self,
        *,
        min_chars: int = 1,
        max_chars: int,
        languages: frozenset[str] = frozenset(),
        duplicates: Duplicates | None = None,
        near_duplicates: NearDuplicates | None = None,
        masked: frozenset[Masked] = frozenset(),
    ) -> None:
        """`languages`: none for any. `duplicates`, `near_duplicates`: None where they may pass."""
        self._min_chars = min_chars
        self._max_chars = max_chars
        self._is_in_language = make_language_filter(languages) if languages else None
        self._duplicates = duplicates
        self._near_duplicates = near_duplicates
        self._mask = make_mask(masked) if masked else None

    def judge(self, post: Post) -> Post | Reason:
        """The post as it may be published, the very same if nothing is masked in it; or why it may not."""
        return self._objection(post) or (self._mask(post) if self._mask else post)

    def _objection(self, post: Post) -> Reason | None:
        if len(post.content) < self._min_chars:
            return "too_short"
        if len(post.content) > self._max_chars:
            return "too_long"
        if self._is_in_language and not self._is_in_language(post.content):
            return "language"
        return self._repetition(post) if self._duplicates else None

    def _repetition(self, post: Post) -> Reason | None:
        text = normalized(post.content)
        # Of a row of emoji, or a link alone, nothing is left to compare.
        if text and self._duplicates and not self._duplicates.is_new(post.post_id, text):
            return "duplicate"
        if text and self._near_duplicates and not self._near_duplicates.is_new(post.post_id, text):
            return "near_duplicate"
        return None


def make_rules(settings: Settings) -> Rules:
    """As the settings say."""
    window_s = settings.rule_duplicates_window_s
    return Rules(
        min_chars=settings.rule_min_chars,
        max_chars=settings.rule_max_chars,
        languages=read_languages(settings.rule_languages),
        duplicates=None if settings.rule_duplicates == "pass" else Duplicates(window_s),
        near_duplicates=NearDuplicates(window_s) if settings.rule_duplicates == "near" else None,
        masked=read_masked(settings.rule_mask),
    )
