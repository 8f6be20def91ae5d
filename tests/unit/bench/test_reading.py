"""What the measurements read: metrics, frames, posts, processors, configurations."""

import gzip
import json
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from tritonclient.grpc.model_config_pb2 import ModelConfig

from bench import prometheus
from bench.fanout.frames import TEXT, FrameReader
from bench.inference.mix import moved
from bench.inference.served import runtime_in_service
from bench.listener import Seen
from bench.machine import cpu_flags, cpu_model
from bench.posts import texts

CPUINFO = """processor\t: 0
cpu family\t: 6
model\t\t: 143
model name\t: Some CPU @ 2.0GHz
flags\t\t: fpu avx2 avx512f avx512_vnni amx_bf16

processor\t: 1
cpu family\t: 6
model\t\t: 143
model name\t: Some CPU @ 2.0GHz
flags\t\t: fpu avx2 avx512f avx512_vnni amx_bf16
"""


def test_stages_are_read_from_what_a_service_exposes() -> None:
    registry = CollectorRegistry()
    stages = Histogram("stage_seconds", "of a batch", ["stage"], registry=registry)
    posts = Counter("posts", "stored", ["source"], registry=registry)
    stages.labels("store").observe(1.0)
    before = prometheus.parse(generate_latest(registry).decode())
    stages.labels("store").observe(0.2)
    stages.labels("store").observe(0.4)
    stages.labels("new since").observe(0.1)
    posts.labels('a "quoted" one').inc(2)
    posts.labels("b").inc(3)
    after = prometheus.parse(generate_latest(registry).decode())
    means = prometheus.stage_means(before, after, "stage_seconds")
    assert means["store"] == pytest.approx({"mean_s": 0.3, "sum_s": 0.6, "count": 2})
    assert means["new since"]["count"] == 1
    assert prometheus.total(after, "posts_total") == 5
    assert prometheus.total(before, "posts_total") == 0


def test_numbers_are_read_in_every_notation_and_comments_are_not() -> None:
    samples = prometheus.parse('# HELP a b\n# TYPE a gauge\na 1e+06\nb{x="1",w="2"} NaN\nc +Inf\n\n')
    assert samples["a", ()] == 1_000_000
    assert ("b", (("w", "2"), ("x", "1"))) in samples
    assert samples["c", ()] == float("inf")


def test_frames_are_read_however_their_bytes_arrive() -> None:
    payloads = [b"", b"a" * 125, b"b" * 126, b"c" * 70_000]
    wire = b""
    for payload in payloads:
        size = len(payload)
        head = (
            bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2) if size < 65_536 else b"\x7f" + size.to_bytes(8)
        )
        wire += b"\x81" + head + payload
    for step in (1, 7, len(wire)):
        reader = FrameReader()
        found = [frame for i in range(0, len(wire), step) for frame in reader.feed(wire[i : i + step])]
        assert found == [(TEXT, payload) for payload in payloads]


def test_a_listener_counts_posts_and_knows_when_each_came() -> None:
    seen = Seen()
    seen.take('{"type":"connected"}')
    seen.take('{"type":"new_post","data":{"post_id":"a-1","content":"x"}}')
    counts = seen.answer({"do": "count"})
    assert (counts["frames"], counts["posts"]) == (2, 1)
    assert list(seen.answer({"do": "arrivals"})["arrivals"]) == ["a-1"]
    assert seen.answer({"do": "arrivals"})["arrivals"] == {}


def test_posts_of_a_file_are_repeated_where_it_is_short(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps({"content": content}) for content in ("one", "two")) + "\n"
    (tmp_path / "posts.jsonl").write_text(lines)
    (tmp_path / "posts.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    assert texts(tmp_path / "posts.jsonl", 3) == ["one", "two", "one"]
    assert texts(tmp_path / "posts.jsonl.gz", 1) == ["one"]
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(ValueError, match="no posts"):
        texts(tmp_path / "empty.jsonl", 1)


def test_a_processor_is_told_by_its_generation_and_its_matrix_units() -> None:
    assert cpu_model(CPUINFO) == "Some CPU @ 2.0GHz, family 6 model 143"
    assert cpu_flags(CPUINFO) == ["avx2", "avx512f", "avx512_vnni", "amx_bf16"]


def test_the_runtime_in_service_is_that_of_the_file_in_the_configuration(tmp_path: Path) -> None:
    config = ModelConfig(name="sentiment", default_model_filename="model.int8.onnx")
    config.parameters["version"].string_value = "3"
    served = runtime_in_service(config, Path("repository"), 2, tmp_path / "choices.json")
    assert served.precision == "int8"
    assert served.order["graph"] == "repository/sentiment/3/model.int8.onnx"
    assert served.order["threads"] == 2


def test_the_runtime_in_service_is_the_one_that_the_backend_noted_for_these_threads(tmp_path: Path) -> None:
    config = ModelConfig(name="sentiment", default_model_filename="model.onnx")
    config.parameters["version"].string_value = "3"
    file = tmp_path / "sentiment" / "3" / "model.onnx"
    choices = tmp_path / "choices.json"

    def note(runtime: str, threads: int) -> dict[str, object]:
        found: dict[str, object] = {"runtime": f"{runtime} of model.onnx", "file": str(file), "threads": threads}
        return found | {"settings": {"X": runtime}}

    entries = [note("openvino-bf16", 1), note("onnxruntime", 2), note("openvino-bf16", 2), note("openvino-int8", 1)]
    choices.write_text(json.dumps({str(number): entry for number, entry in enumerate(entries)}))
    served = runtime_in_service(config, tmp_path, 2, choices)
    assert (served.precision, served.order["runtime"]) == ("bf16", "openvino")
    assert served.order["backend"] == "openvino-bf16"
    assert served.order["graph"] == str(file)
    assert runtime_in_service(config, tmp_path / "another", 2, choices).order["runtime"] == "onnxruntime"


def test_what_neighbours_move_is_the_largest_change_and_the_labels_that_changed() -> None:
    found = moved([[0.6, 0.4], [0.9, 0.1]], [[0.45, 0.55], [0.9, 0.1]])
    assert found == {"largest_change": pytest.approx(0.15), "labels_changed": 1}
