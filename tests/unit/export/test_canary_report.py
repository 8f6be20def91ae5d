"""The comparison is the sum of what the workers counted for exactly these two versions."""

import json
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

from export.canary_report import CanaryReport, compare, read_pages
from export.errors import ExportError


def page(agreeing: int, differing: int, batches: int, seconds: tuple[float, float], *, in_service: str = "1") -> str:
    """A worker's metrics page, with counts of another model and of another pair beside those that are asked for."""
    registry = CollectorRegistry()
    posts = Counter("undertone_canary_posts", "Posts", ["model", "version", "in_service", "agrees"], registry=registry)
    counted = Counter("undertone_canary_batches", "Batches", ["model", "version"], registry=registry)
    failed = Counter("undertone_canary_failures", "Failures", ["model", "version"], registry=registry)
    took = Counter("undertone_canary_seconds", "Seconds", ["model", "version", "side"], registry=registry)
    posts.labels("sentiment", "2", in_service, "yes").inc(agreeing)
    posts.labels("sentiment", "2", in_service, "no").inc(differing)
    posts.labels("sentiment", "2", "9", "yes").inc(1_000)
    posts.labels("emotion", "2", "1", "no").inc(1_000)
    posts.labels("sentiment", "3", "1", "no").inc(1_000)
    counted.labels("sentiment", "2").inc(batches)
    failed.labels("sentiment", "2").inc(1)
    took.labels("sentiment", "2", "canary").inc(seconds[0])
    took.labels("sentiment", "2", "in_service").inc(seconds[1])
    return generate_latest(registry).decode()


def test_workers_are_added_up() -> None:
    pages = [page(90, 10, 4, (1.0, 2.0)), page(300, 0, 6, (2.0, 4.0))]
    report = compare(pages, "sentiment", 2, 1)
    assert report == CanaryReport("sentiment", 2, 1, 10, 2, 390, 10, 3.0, 6.0)
    assert report.agreement == 0.975
    assert report.slowdown == 0.5
    assert "97.5% of 400 posts" in report.to_markdown()
    assert "0.50 times as long" in report.to_markdown()


def test_without_posts_there_is_no_verdict() -> None:
    report = compare(["# nothing\n"], "sentiment", 2, 1)
    assert (report.agreement, report.slowdown) == (None, None)
    assert "No post was answered by both versions yet" in report.to_markdown()


def test_few_posts_say_little() -> None:
    assert "say little yet" in compare([page(5, 1, 1, (1, 1))], "sentiment", 2, 1).to_markdown()


def test_it_is_kept_beside_the_version(tmp_path: Path) -> None:
    report = compare([page(90, 10, 4, (1.0, 2.0))], "sentiment", 2, 1)
    report.write(tmp_path)
    kept = json.loads((tmp_path / "canary.json").read_text())
    assert (kept["agreement"], kept["version"], kept["in_service"]) == (0.9, 2, 1)
    assert (tmp_path / "canary.md").read_text() == report.to_markdown()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/metrics", "no-url"])
def test_a_page_that_cannot_be_read_is_named(url: str) -> None:
    with pytest.raises(ExportError, match="--metrics"):
        read_pages([url])
