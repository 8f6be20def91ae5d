"""A replayed file is in the database: every post once, with the scores that its text gets alone."""

import gzip
import json
import os
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from services.common.messages import Post, encode_post, make_post
from tests.conftest import ROOT
from tests.parity.direct import direct_scores
from tests.posts import make_posts
from tests.system import System, system
from tests.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

# Largest difference of a score, and smallest share of equal labels, by what computes the models. ONNX Runtime computes
# in fp32 what it is compared with; what is fastest on this machine may round to 8 bits, in every batch alike.
EXPECTED = {"onnxruntime": (1e-3, 1.0), "auto": (0.15, 0.98)}
# Two labels whose scores are so close are equally right.
TIE = 1e-3
# Real posts, where they are at hand; they may not be redistributed.
REAL_POSTS = Path(os.environ.get("REPLAY_FILE", ROOT.parent / "shared" / "data" / "replay.10k.jsonl.gz"))
LABELS = {
    name: (ROOT / "model_repository" / name / "1" / "labels.txt").read_text().split()
    for name in ("sentiment", "emotion")
}


def write_posts(path: Path, count: int) -> Path:
    """The first `count` real posts; where there are none, as many generated ones, 2,000 at most."""
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        if REAL_POSTS.exists():
            with gzip.open(REAL_POSTS, "rt", encoding="utf-8") as source:
                lines.writelines(islice(source, count))
        else:
            lines.writelines(json.dumps(encode_post(post)) + "\n" for post in make_posts(min(count, 2_000), seed=9))
    return path


def read_posts(file: Path) -> dict[str, Post]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        posts = [make_post(**json.loads(line)) for line in lines]
    return {post.post_id: post for post in posts}


@pytest.mark.parametrize(
    ("runtime", "most_posts"),
    [("auto", 1_000), pytest.param("onnxruntime", 10_000, marks=pytest.mark.long)],
)
async def test_every_post_is_stored_once_with_the_scores_of_its_text_alone(
    runtime: str, most_posts: int, tmp_path: Path
) -> None:
    file = write_posts(tmp_path / "posts.jsonl.gz", most_posts)
    posts = read_posts(file)
    replay = ["--source", "replay", "--file", str(file)]

    async def complete(running: System) -> bool:
        health = await running.get("/api/health")
        return bool(health) and health["stats"]["total_analyses"] == len(posts)

    async with system(tmp_path / "local", replay, {"CPU_RUNTIME": runtime}) as running:
        await eventually(lambda: complete(running), "every post is stored", 400)
        assert "the source has ended" in running.output
        rows = await running.query("SELECT * FROM social_media_posts JOIN sentiment_analysis USING (post_id)")
        (counts,) = await running.query(
            "SELECT (SELECT count(*) FROM social_media_posts), (SELECT count(*) FROM sentiment_analysis)"
        )
        assert await running.stop() == 0

    assert tuple(counts) == (len(posts), len(posts))
    assert {row["post_id"] for row in rows} == set(posts)
    for row in rows:
        post = posts[row["post_id"]]
        assert (row["content"], row["source"], row["author"], row["created_at"]) == (
            post.content,
            post.source,
            post.author,
            post.created_at,
        )
    for model, label, confidence in (
        ("sentiment", "sentiment_label", "confidence_score"),
        ("emotion", "emotion", "emotion_confidence"),
    ):
        alone = direct_scores(model, [row["content"] for row in rows])
        stored = np.array([row[confidence] for row in rows])
        chosen = alone[np.arange(len(rows)), [LABELS[model].index(row[label]) for row in rows]]
        tolerance, agreement = EXPECTED[runtime]
        # The stored label's own score, and that no other label scores higher.
        np.testing.assert_allclose(stored, chosen, atol=tolerance)
        np.testing.assert_allclose(stored, alone.max(axis=1), atol=tolerance)
        assert np.mean(chosen >= alone.max(axis=1) - TIE) >= agreement
