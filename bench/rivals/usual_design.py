"""`python -m bench.rivals.usual_design OPTIONS`: the worker that most systems of this kind have.

One process: read entries from the stream; for each post transformers' `pipeline()` for sentiment, then for emotion;
INSERT both rows and commit; publish the result; XACK. torch with its default threads. OPTIONS is JSON: redis, stream,
group, channel, database, sentiment and emotion (checkpoints). Asked by JSON lines:

    {"do": "consume", "count": 100}     -> {"seconds": …}
"""

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from transformers import Pipeline, pipeline

READ_COUNT = 10
SCHEMA = """
CREATE TABLE IF NOT EXISTS social_media_posts (
    id serial PRIMARY KEY, post_id varchar(255) UNIQUE NOT NULL, source varchar(50), content text,
    author varchar(255), created_at timestamptz, ingested_at timestamptz DEFAULT now());
CREATE TABLE IF NOT EXISTS sentiment_analysis (
    id serial PRIMARY KEY, post_id varchar(255) REFERENCES social_media_posts (post_id), model_name varchar(100),
    sentiment_label varchar(20), confidence_score real, emotion varchar(50), analyzed_at timestamptz DEFAULT now());
CREATE INDEX IF NOT EXISTS posts_created ON social_media_posts (created_at);
CREATE INDEX IF NOT EXISTS analysis_time ON sentiment_analysis (analyzed_at);
"""
INSERT_POST = """
INSERT INTO social_media_posts (post_id, source, content, author, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (post_id) DO NOTHING
"""
INSERT_ANALYSIS = """
INSERT INTO sentiment_analysis (post_id, model_name, sentiment_label, confidence_score, emotion)
VALUES ($1, $2, $3, $4, $5)
"""


class Worker:
    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._sentiment, self._emotion = (self._classifier(options[name]) for name in ("sentiment", "emotion"))

    async def serve(self) -> None:
        pipe = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        database = await asyncpg.connect(self._options["database"])
        await database.execute(SCHEMA)
        redis = Redis.from_url(self._options["redis"])
        try:
            await redis.xgroup_create(self._options["stream"], self._options["group"], id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        while line := await asyncio.to_thread(sys.stdin.readline):
            seconds = await self._consume(redis, database, json.loads(line)["count"])
            print(json.dumps({"seconds": seconds}), file=pipe, flush=True)
        await redis.aclose()
        await database.close()

    async def _consume(self, redis: Redis, database: Any, count: int) -> float:
        stream, group = self._options["stream"], self._options["group"]
        began, done = time.monotonic(), 0
        while done < count:
            answer: Any = await redis.xreadgroup(group, "worker-1", {stream: ">"}, count=READ_COUNT, block=1_000)
            for _, entries in answer or ():
                for entry_id, fields in entries:
                    await self._process(redis, database, {k.decode(): v.decode() for k, v in fields.items()})
                    await redis.xack(stream, group, entry_id)
                    done += 1
        return time.monotonic() - began

    async def _process(self, redis: Redis, database: Any, post: dict[str, str]) -> None:
        (sentiment,), (emotion,) = self._sentiment(post["content"]), self._emotion(post["content"])
        label, score, mood = sentiment["label"], float(sentiment["score"]), emotion["label"]
        created_at = datetime.fromisoformat(post["created_at"])
        async with database.transaction():
            await database.execute(
                INSERT_POST, post["post_id"], post["source"], post["content"], post["author"], created_at
            )
            await database.execute(INSERT_ANALYSIS, post["post_id"], "distilbert", label, score, mood)
        analysis = {
            "model_name": "distilbert",
            "sentiment_label": label,
            "confidence": score,
            "emotion": mood,
            "emotion_confidence": float(emotion["score"]),
        }
        analysed = {"post": post, "analysis": analysis, "analysed_at": datetime.now(UTC).isoformat()}
        await redis.publish(self._options["channel"], json.dumps({"type": "results", "posts": [analysed]}))

    @staticmethod
    def _classifier(checkpoint: str) -> Pipeline:
        return pipeline("text-classification", model=checkpoint, tokenizer=checkpoint, truncation=True)


if __name__ == "__main__":
    asyncio.run(Worker(json.loads(sys.argv[1])).serve())
