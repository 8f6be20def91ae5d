"""Counts the posts that have the rules' keywords: each post is read once, for all rules together."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from time import monotonic

import asyncpg
from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy

from services.api.alerting.keywords import Keywords
from services.api.alerting.rule import Rule
from services.api.queries import alerts as queries
from services.api.queries import keyword_counts
from services.api.queries.alert_rules import read_rules
from services.api.queries.connection import connection
from services.api.queries.keyword_counts import NEWEST_POSTS, Count
from services.common.moments import MINUTE, floor
from services.common.partitions import first_id_at, moment_of

# Of one turn, whichever is reached first; the rest is left to the next turn. Where posts come faster than that for long
# the rules hear of them later, and of all of them, until they are behind by the longest window.
MAX_POSTS_PER_TURN = 50_000
MAX_TURN_S = 2.0
# The longest posts make 20 MB.
PORTION = 500

Counts = dict[tuple[int, datetime], Count]


class KeywordWatch:
    """Its rows are the only state, as AlertWatch's."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def run_once(self) -> int | None:
        """Counts the posts that were stored since the last turn, by any process; how many it read.

        None if it is another's turn. Nothing is counted twice, nothing is left out: what is counted and how far that
        goes is one transaction.
        """
        async with connection(self._pool) as held, held.transaction():
            if not await queries.take_turn(held):
                return None
            settled = await queries.settled_before(held)
            rules = [rule for rule in await read_rules(held, only_enabled=True) if rule.keyword]
            if not rules:
                await keyword_counts.write_next_id(held, first_id_at(settled))
                return 0
            # What no window reaches any more, after a time without us, is not read at all.
            oldest = first_id_at(settled - max(rule.window for rule in rules))
            first_id = max(await keyword_counts.read_next_id(held), oldest)
            posts = await self._count(held, rules, first_id, first_id_at(settled))
            await keyword_counts.forget_old_counts(held)
            return posts

    async def _count(self, held: PoolConnectionProxy, rules: Sequence[Rule], first_id: int, beyond_id: int) -> int:
        counter = Counter(rules)
        posts, next_id, began = 0, beyond_id, monotonic()
        async for rows in keyword_counts.new_posts(held, first_id, beyond_id, PORTION):
            # Beside the event loop: browsers wait for it, and long texts take a while.
            await asyncio.to_thread(counter.add, rows)
            posts += len(rows)
            if posts >= MAX_POSTS_PER_TURN or monotonic() - began >= MAX_TURN_S:
                next_id = rows[-1]["id"] + 1
                break
        await keyword_counts.add_counts(held, counter.counts)
        await keyword_counts.write_next_id(held, next_id)
        return posts


class Counter:
    """Posts in, counts for each rule and minute out."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.counts: Counts = defaultdict(Count)
        self._rules = {rule.id: rule for rule in rules}
        self._keywords = Keywords({rule.id: rule.keyword or "" for rule in rules})

    def add(self, rows: Sequence[Record]) -> None:
        for row in rows:
            for rule_id in self._keywords.find(row["content"]):
                rule = self._rules[rule_id]
                if rule.source in (None, row["source"]):
                    self._add_one(rule, row)

    def _add_one(self, rule: Rule, row: Record) -> None:
        count = self.counts[rule.id, floor(moment_of(row["id"]), MINUTE)]
        count.posts += 1
        if rule.looks_for(row["sentiment_label"], row["emotion"]):
            count.matching += 1
            count.newest_ids.append(row["id"])
            del count.newest_ids[:-NEWEST_POSTS]
