"""What is counted of the live feed comes out in Prometheus' terms, under few labels."""

from services.api.feed import frames
from services.api.feed.metrics import CODES, SEND_BUCKETS_S
from services.api.metrics import ApiMetrics
from services.common.messages import AlertMessage
from tests.unit.api.analysed import analysed_posts


def value(metrics: ApiMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"undertone_websocket_{name}", labels)


def test_frames_are_counted_by_type_with_their_bytes_and_times() -> None:
    metrics = ApiMetrics()
    assert value(metrics, "sent_bytes_total") == 0
    for took_s in (0.00005, 0.0001, 0.02, 99.0):
        metrics.live.sent.note("new_post", 100, took_s)
    metrics.live.sent.note("ping", 15, 0.0)
    assert value(metrics, "frames_sent_total", type="new_post") == 4
    assert value(metrics, "frames_sent_total", type="ping") == 1
    assert value(metrics, "sent_bytes_total") == 415
    below = {limit: value(metrics, "send_duration_seconds_bucket", le=str(limit)) for limit in SEND_BUCKETS_S}
    assert (below[0.0001], below[0.01], below[0.05], below[10]) == (3, 3, 4, 4)
    assert value(metrics, "send_duration_seconds_bucket", le="+Inf") == 5
    assert value(metrics, "send_duration_seconds_count") == 5
    assert b"undertone_websocket_send_duration_seconds_bucket" in metrics.text()


def test_a_client_that_makes_up_codes_makes_no_labels() -> None:
    metrics = ApiMetrics()
    for code in range(1_000, 5_000):
        metrics.live.closed(code)
    text = metrics.text().decode()
    lines = [line for line in text.splitlines() if line.startswith("undertone_websocket_closed_total{")]
    assert len(lines) == len(CODES) + 1
    assert value(metrics, "closed_total", code="other") == 4_000 - len(CODES)


def test_a_frame_tells_its_type_and_its_size_on_the_line() -> None:
    (post,) = analysed_posts(1, content="schön 😀")
    alert = AlertMessage(change="raised", alert={"id": 1})
    made = {"new_post": frames.new_post(post), "alert": frames.alert(alert), "ping": frames.PING, "pong": frames.PONG}
    made |= {"connected": frames.connected(), "metrics_update": frames.metrics_update({})}
    for kind, frame in made.items():
        assert frames.kind_of(frame) == kind
        assert frames.size_of(frame) == len(frame.encode())
