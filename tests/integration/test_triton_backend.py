"""The backend named `onnxruntime` in a real server: exact answers, merged requests, faults that stay alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from tritonclient.grpc import InferenceServerClient, InferRequestedOutput
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

from tests.integration import triton_models as models
from tests.integration.triton_requests import Together, infer, posts
from tests.integration.triton_server import Running, running_triton

# Long enough for all requests of a test to arrive and merge.
MERGING = "dynamic_batching { max_queue_delay_microseconds: 300000 }\n"
ONE_THREAD = models.parameter("intra_op_thread_count", "1")


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    labelled = models.tensor("logits", "FP32", "3", 'label_filename: "labels.txt"')
    own = models.parameter("labels", "negative,neutral,positive") + models.parameter("sequence_lengths", "16,32")
    warm_up = "".join(
        f'model_warmup {{ name: "w{length}" batch_size: 2 '
        + "".join(
            f'inputs {{ key: "{name}" value {{ data_type: TYPE_INT64 dims: [ {length} ] zero_data: true }} }} '
            for name in ("input_ids", "attention_mask")
        )
        + "}\n"
        for length in (16, 32)
    )
    text = models.config("classifier", outputs=[labelled], extra=ONE_THREAD + own + warm_up + MERGING)
    models.write(folder, "classifier", text, models.model(models.classifier()))
    (folder / "classifier" / "labels.txt").write_text("negative\nneutral\npositive\n")
    typed = models.config(
        "identities",
        [models.tensor(f"in_{name}", name, "-1, 3") for name in models.TYPES],
        [models.tensor(f"out_{name}", name, "-1, 3") for name in models.TYPES],
        extra=MERGING + 'default_model_filename: "typed.onnx"\n',
    )
    graph = models.model(models.identities(["batch", "rows", 3]))
    models.write(folder, "identities", typed, graph, "typed.onnx")
    unbatched = models.config(
        "unbatched",
        [models.tensor("in_FP32", "FP32", "2, -1")],
        [models.tensor("out_FP32", "FP32", "2, -1")],
        max_batch_size=0,
    )
    only = {"FP32": models.TYPES["FP32"]}
    models.write(folder, "unbatched", unbatched, models.model(models.identities([2, "columns"], only)))
    reshaped = models.config(
        "reshaped",
        [models.tensor("in_FP32", "FP32", "1", "reshape { shape: [ ] }")],
        [models.tensor("out_FP32", "FP32", "1", "reshape { shape: [ ] }")],
    )
    models.write(folder, "reshaped", reshaped, models.model(models.identities(["batch"], only)))
    scalar = models.config(
        "scalar", [models.tensor("in_FP32", "FP32", "1")], [models.tensor("out_FP32", "FP32", "1")], max_batch_size=0
    )
    models.write(folder, "scalar", scalar, models.model(models.identities([], only)))
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Running]:
    with running_triton(tmp_path_factory.mktemp("triton"), repository) as running:
        yield running


@pytest.fixture
def client(server: Running) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(f"127.0.0.1:{server.grpc_port}") as client:
        yield client


def executions(client: InferenceServerClient, model: str) -> tuple[int, int]:
    """(rows, executions) so far."""
    statistics = client.get_inference_statistics(model).model_stats[0]
    return statistics.inference_count, statistics.execution_count


def direct_session(repository: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(repository / "classifier" / "1" / "model.onnx", options, ["CPUExecutionProvider"])


def test_answers_equal_onnx_runtime_bit_for_bit(client: InferenceServerClient, repository: Path) -> None:
    """Random input of many shapes gives exactly what the same ONNX Runtime gives when called directly."""
    session = direct_session(repository)
    for rows, length in [(1, 1), (1, 16), (3, 16), (64, 32), (7, 129), (64, 512)]:
        arrays = posts(rows, length)
        logits = infer(client, "classifier", arrays).as_numpy("logits")
        assert logits.dtype == np.float32
        np.testing.assert_array_equal(logits, session.run(None, arrays)[0])


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 2, 3), (64, 40, 3), (2, 0, 3)])
def test_every_data_type_arrives_and_returns(client: InferenceServerClient, shape: tuple[int, ...]) -> None:
    arrays = {f"in_{name}": random_array(name, shape) for name in models.TYPES}
    result = infer(client, "identities", arrays)
    for name in models.TYPES:
        np.testing.assert_array_equal(result.as_numpy(f"out_{name}"), arrays[f"in_{name}"], err_msg=name)


def random_array(name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    random = np.random.default_rng(3)
    if name == "STRING":
        texts = [f"häppy 🙂 {number}".encode() for number in random.integers(0, 10**9, int(np.prod(shape)))]
        return np.array(texts, dtype=np.object_).reshape(shape)
    dtype = np.dtype(triton_to_np_dtype(name))
    raw = random.bytes(int(np.prod(shape)) * dtype.itemsize)
    if dtype.kind == "b":
        return (np.frombuffer(raw, np.uint8) > 127).reshape(shape)
    # Any bits are a number but a NaN, which is unequal to itself.
    return np.nan_to_num(np.frombuffer(raw, dtype)).reshape(shape)


def test_a_model_without_batches_takes_its_own_shape(client: InferenceServerClient) -> None:
    array = np.arange(10, dtype=np.float32).reshape(2, 5)
    np.testing.assert_array_equal(infer(client, "unbatched", {"in_FP32": array}).as_numpy("out_FP32"), array)


@pytest.mark.parametrize(("model", "shape"), [("reshaped", (3, 1)), ("scalar", (1,))])
def test_dimensions_that_only_triton_sees(client: InferenceServerClient, model: str, shape: tuple[int, ...]) -> None:
    """`reshape { }` and scalars: the configuration has a dimension of 1 that the graph does not have."""
    array = np.full(shape, 2.5, dtype=np.float32)
    np.testing.assert_array_equal(infer(client, model, {"in_FP32": array}).as_numpy("out_FP32"), array, strict=True)


def test_concurrent_requests_merge_and_each_gets_its_own_answer(
    client: InferenceServerClient, repository: Path
) -> None:
    session = direct_session(repository)
    requests = [posts(rows=1 + seed % 3, length=16, seed=seed) for seed in range(24)]
    rows_before, runs_before = executions(client, "classifier")
    answers = Together(client, "classifier", requests).wait()
    for arrays, answer in zip(requests, answers, strict=True):
        # The order of a sum depends on the batch that a row is in: last bits may differ.
        np.testing.assert_allclose(answer.as_numpy("logits"), session.run(None, arrays)[0], rtol=1e-5, atol=1e-6)
    rows, runs = executions(client, "classifier")
    assert rows - rows_before == 48
    assert runs - runs_before <= 6


def test_a_bad_row_fails_alone_in_a_merged_batch(client: InferenceServerClient) -> None:
    """An id outside the vocabulary: its own request fails with ONNX Runtime's message, its neighbours are answered."""
    requests = [posts(1, 16, seed) for seed in range(8)]
    requests[3]["input_ids"][0, 0] = models.VOCABULARY + 7
    runs_before = executions(client, "classifier")[1]
    answers = Together(client, "classifier", requests).wait()
    assert executions(client, "classifier")[1] - runs_before < 8
    assert [isinstance(answer, Exception) for answer in answers] == [index == 3 for index in range(8)]
    assert "onnx runtime error" in str(answers[3])
    assert "out of data bounds" in str(answers[3])


def test_undecodable_text_fails_alone_in_a_merged_batch(client: InferenceServerClient) -> None:
    good = {f"in_{name}": random_array(name, (1, 1, 3)) for name in models.TYPES}
    bad = good | {"in_STRING": np.array([[[b"\xff", b"", b""]]], dtype=np.object_)}
    answers = Together(client, "identities", [good, bad, good]).wait()
    assert [isinstance(answer, Exception) for answer in answers] == [False, True, False]
    assert "in_STRING' is not UTF-8" in str(answers[1])


def test_only_requested_outputs_return(client: InferenceServerClient) -> None:
    arrays = {f"in_{name}": random_array(name, (2, 2, 3)) for name in models.TYPES}
    wanted = {"out_INT64", "out_BOOL"}
    result = infer(client, "identities", arrays, [InferRequestedOutput(name) for name in wanted])
    assert {output.name for output in result.get_response().outputs} == wanted


def test_classes_come_with_their_labels(client: InferenceServerClient) -> None:
    arrays = posts(1, 16)
    logits = infer(client, "classifier", arrays).as_numpy("logits")[0]
    result = infer(client, "classifier", arrays, [InferRequestedOutput("logits", class_count=1)])
    score, _, label = result.as_numpy("logits")[0][0].decode().split(":")
    assert label == ("negative", "neutral", "positive")[int(np.argmax(logits))]
    assert float(score) == pytest.approx(float(logits.max()), abs=1e-5)


def test_summaries_and_counts_are_among_the_metrics(server: Running, client: InferenceServerClient) -> None:
    infer(client, "classifier", posts(2, 16))
    with urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=5) as response:
        text = response.read().decode()
    for name in ("nv_inference_count", "nv_inference_exec_count", "nv_inference_request_summary_us"):
        assert f'{name}{{model="classifier"' in text


def test_wrong_requests_are_refused_by_the_server(client: InferenceServerClient) -> None:
    """Wrong type, wrong rank, too many rows: INVALID_ARGUMENT before the backend sees them."""
    arrays = posts(65, 16)
    ids, mask = arrays["input_ids"], arrays["attention_mask"]
    for wrong in (arrays, {"input_ids": ids[:1].astype(np.int32), "attention_mask": mask[:1]}, {"input_ids": ids[:1]}):
        with pytest.raises(InferenceServerException) as caught:
            infer(client, "classifier", wrong)
        assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
