"""What single parts of the path cost in CPU time, each alone in this process: `python -m bench.parts [--posts FILE]`.

Where a profile of the worker points, this tells how much there is to gain.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hiredis
import msgspec
from opentelemetry.sdk.trace import TracerProvider
from redis._parsers.encoders import Encoder
from redis._parsers.resp2 import _AsyncRESP2Parser

from bench import posts
from bench.paths import STARTER_MODELS
from bench.report import table
from export.spec import BUCKETS, lengths_on_cpu
from services.api.feed.frames import new_post
from services.api.feed.push_trace import pushing
from services.api.metrics import ApiMetrics
from services.api.statistics.arrivals import Arrivals
from services.common.messages import (
    AnalysedPost,
    Analysis,
    Post,
    ResultsMessage,
    decode_post,
    encode_message,
    encode_post,
)
from services.common.publish_traces import publishing
from services.common.traces import child, shared, traced_by
from services.inference.analyzer import Course, Inferred
from services.inference.batching import plan_batches
from services.inference.tokenizer import PostTokenizer
from services.ingester.sources.bluesky import events
from services.ingester.sources.filters import Filters
from services.triton.backends.onnxruntime.length_groups import groups
from services.worker import post_traces
from services.worker.consumer import Entry
from services.worker.journey import journey, passage
from tests.jetstream_server import commit

BATCH = 256
# What arrives while a batch is analysed, at a moderate load.
FEW = 10
ROUNDS = 7
ANALYSIS = Analysis(
    model_name="sentiment",
    model_version=1,
    sentiment_label="positive",
    confidence=0.9,
    emotion_model_name="emotion",
    emotion_model_version=1,
    emotion="joy",
    emotion_confidence=0.8,
)
INFERRED = Inferred(at=1_700_000_000.0, took_ms=10.0, requests=4, split=None)
PROVIDER = TracerProvider(shutdown_on_exit=False)
TRACEPARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
# Of a batch of 256: four requests for each model.
STEPS = ("tokenize", *["infer"] * 8, "store", "announce")
PASSAGE = passage("worker", BATCH, Course(1_700_000_000.0, 1.0, INFERRED, INFERRED))


def cpu_us(action: Callable[[], object]) -> float:
    """Least CPU microseconds a post of several rounds, all threads of this process together."""
    action()
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        action()
        rounds.append((time.process_time() - began) / BATCH * 1e6)
    return min(rounds)


def reply_of(batch: Sequence[Post]) -> bytes:
    """What Redis answers to XREADGROUP."""

    def bulk(value: bytes) -> bytes:
        return b"$%d\r\n%s\r\n" % (len(value), value)

    def entry(number: int, post: Post) -> bytes:
        fields = [part for name, value in encode_post(post).items() for part in (name.encode(), value.encode())]
        return b"*2\r\n" + bulk(b"1700000000000-%d" % number) + b"*%d\r\n" % len(fields) + b"".join(map(bulk, fields))

    entries = b"".join(entry(number, post) for number, post in enumerate(batch))
    return b"*1\r\n*2\r\n" + bulk(b"stream") + b"*%d\r\n" % len(batch) + entries


def by_hiredis(reply: bytes) -> Any:
    reader = hiredis.Reader()
    reader.feed(reply)
    return reader.gets()


def by_python(reply: bytes) -> Any:
    """With the Redis client's own parser, which it takes where hiredis is not installed."""

    async def parse() -> Any:
        stream = asyncio.StreamReader(limit=2**26)
        stream.feed_data(reply)
        parser = _AsyncRESP2Parser(2**16)
        parser._stream, parser._connected = stream, True
        parser.encoder = Encoder("utf-8", "strict", False)  # type: ignore[no-untyped-call] # the library leaves it untyped
        return await parser.read_response()

    return asyncio.run(parse())


def spans(batch: Sequence[Post], entries: Sequence[Entry]) -> None:
    """What ingester, worker and API do for the traces of a batch, but for their export."""
    with publishing("stream", batch):
        pass
    begun = post_traces.begin(entries, "group")
    with shared([*begun.values()]):
        for step in STEPS:
            with child(step, {"undertone.posts": len(batch)}):
                pass
    post_traces.end(begun)
    with pushing(ResultsMessage(posts=()), 1):
        pass


def traced_spans(batch: Sequence[Post], entries: Sequence[Entry]) -> None:
    with traced_by(PROVIDER, 0.01):
        spans(batch, entries)


def parts(texts: Sequence[str]) -> str:
    now = datetime.now(UTC)
    batch = [
        Post(post_id=f"bench-{i}", source="bench", content=text, author="ada", created_at=now)
        for i, text in enumerate(texts[:BATCH])
    ]
    entries = [{name.encode(): value.encode() for name, value in encode_post(post).items()} for post in batch]
    analysed = tuple(AnalysedPost(post=post, analysis=ANALYSIS, analysed_at=now) for post in batch)
    tokenizer = PostTokenizer((STARTER_MODELS / "sentiment" / "1" / "tokenizer.json").read_bytes(), 512)
    contents = [post.content for post in batch]
    reply = reply_of(batch)
    read = [Entry(f"1700000000000-{number}", entry) for number, entry in enumerate(entries)]
    some_traced = [
        Entry(entry.stream_id, {**entry.fields, b"traceparent": TRACEPARENT} if number % 100 == 0 else entry.fields)
        for number, entry in enumerate(read)
    ]
    arrivals = Arrivals(ApiMetrics())
    every = Filters(["en"])
    messages = [
        msgspec.json.encode({"time_us": 1_700_000_000_000_000} | commit(f"3l3qo2{number:07}", text=post.content))
        for number, post in enumerate(batch)
    ]
    announced = ResultsMessage(
        posts=tuple(msgspec.structs.replace(post, queued_ms=1_700_000_000_000) for post in analysed)
    )
    actions: dict[str, Callable[[], object]] = {
        "Jetstream's message to post": lambda: [events.read(message, every) for message in messages],
        "Redis' answer, by hiredis": lambda: by_hiredis(reply),
        "Redis' answer, by the client's own parser": lambda: by_python(reply),
        "entry to post": lambda: [decode_post(entry) for entry in entries],
        "tokenization": lambda: tokenizer.encode(contents),
        "message to the channel": lambda: encode_message(ResultsMessage(posts=analysed)),
        "WebSocket frame": lambda: [new_post(post) for post in analysed],
        "its journey, in the worker": lambda: [journey(entry, PASSAGE) for entry in read],
        "its latency, in the API": lambda: arrivals.note(announced),
        "traces, which are off": lambda: spans(batch, read),
        "traces of one post in a hundred": lambda: traced_spans(batch, some_traced),
    }
    return table(["part", "CPU us a post"], [[name, cpu_us(action)] for name, action in actions.items()])


def padding(texts: Sequence[str]) -> str:
    """Tokens that are computed for a post, and runs of the model a batch, by who pads to which lengths."""
    tokenizer = PostTokenizer((STARTER_MODELS / "sentiment" / "1" / "tokenizer.json").read_bytes(), 512)
    counts = [len(tokens) for tokens in tokenizer.encode(list(texts))]
    rows: list[list[object]] = [["none: the posts' own tokens", None, sum(counts) / len(counts), None]]
    for size in (FEW, BATCH):
        batches = [sorted(counts[start : start + size]) for start in range(0, len(counts), size)]
        for name, cut in (("powers of two", _by_clients), ("on a CPU", _by_the_backend)):
            runs = [run for batch in batches for run in cut(batch)]
            padded = sum(posts * length for posts, length in runs)
            rows.append([name, size, padded / len(counts), len(runs) / len(batches)])
    return table(["lengths", "posts a batch", "tokens a post", "runs a batch"], rows)


def _by_clients(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Rows and length of each run: every request is one."""
    batches = plan_batches(counts, BUCKETS, max_rows=64, max_tokens=8_192)
    return [(len(batch.rows), batch.length) for batch in batches]


def _by_the_backend(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Rows and length of each run: every request is cut into some."""
    return [
        (end - start, length)
        for request in plan_batches(counts, BUCKETS, max_rows=64, max_tokens=8_192, mixed=True)
        for start, end, length in groups([counts[row] for row in request.rows], lengths_on_cpu(BUCKETS))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.parts", description="CPU time of single parts of the path.")
    parser.add_argument("--posts", type=Path, metavar="FILE", help="posts as JSON lines, plain or .gz; else generated")
    texts = posts.texts(parser.parse_args().posts, 5_120)
    print(f"{parts(texts)}\n\n{padding(texts)}")


if __name__ == "__main__":
    main()
