"""What enters: which posts are not published, and what is masked in those that are. All of it before Redis sees a post.

Rules look at one post after the other, the cheapest first, and the first that rejects a post is counted as the reason.
What is rejected is gone: it is no dead letter, since nothing is wrong with it.
"""

from services.common.rules.rules import REASONS, Reason, Rules, make_rules

__all__ = ["REASONS", "Reason", "Rules", "make_rules"]
