"""The session that an instance computes with: ONNX Runtime's, or on the CPU the runtime that is fastest there."""

# The Python backend puts this folder on the module path; a type checker may not know it.
# mypy: disable-error-code="import-not-found,import-untyped"

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cpu_facts
import cpu_runtimes
import gpu_graphs
import gpu_memory
import gpu_session
import onnxruntime as ort
import ort_options
import ort_providers
import ov_session
import remembered
from cpu_runtimes import Candidate, Session
from gpu_memory import Device
from ort_batches import Array, Arrays
from ort_contract import Contract

Tell = Callable[[str], None]


@dataclass(frozen=True)
class OrtSession:
    """ONNX Runtime, for the outputs that the configuration promises."""

    session: ort.InferenceSession
    outputs: Sequence[str]
    options: ort.RunOptions

    def run(self, feeds: Arrays) -> Sequence[Array]:
        outputs: Sequence[Array] = self.session.run(list(self.outputs), dict(feeds), self.options)
        return outputs


def open_onnx_runtime(
    path: Path, config: Mapping[str, Any], kind: str, device: str, environment: Mapping[str, str]
) -> ort.InferenceSession:
    """ONNX Runtime's own session; OptionError where the configuration asks for what is not to be had."""
    options = ort_options.session_options(config, kind, environment)
    providers = ort_providers.providers(config, kind, device, ort.get_available_providers())
    session = ort.InferenceSession(path, options, providers=providers)
    ort_providers.check_in_use(providers, session.get_providers())
    return session


def on_gpu(
    path: Path,
    session: ort.InferenceSession,
    *,
    config: Mapping[str, Any],
    contract: Contract,
    device: Device,
    lengths: Sequence[int],
    environment: Mapping[str, str],
    tell: Tell,
) -> Session:
    """The session with its tensors bound on that GPU, a classifier's small batches as graphs where these are faster.

    `lengths`: those that its texts are padded to here, in tokens. OptionError where a classifier's attention is not
    fused there, or the environment has an impossible switch.
    """
    name, use_graphs = config["name"], ort_options.switched_on(environment, gpu_graphs.SETTING)
    allocate = gpu_memory.allocator(environment, device, lambda sentence: tell(f"{name}: {sentence}"))
    bound = gpu_session.BoundSession(session, list(contract.outputs), ort_options.run_options(config), device, allocate)
    if not cpu_runtimes.is_classifier(config) or ort_providers.TENSORRT in session.get_providers():
        return bound
    gpu_session.check_fused_attention(path, *_gpu_options(config, device), ort_providers.CUDA)
    if not lengths or not use_graphs:
        return gpu_session.PaddedRows(bound)

    def open_recording() -> ort.InferenceSession:
        options, providers = _gpu_options(config, device, {"enable_cuda_graph": "1"})
        # What is planned for one shape would be in the way of recording the next.
        options.enable_mem_pattern = False
        # Without the fall-back to the processor, which would print its complaint and go on.
        recording = ort.InferenceSession(path, options, providers=providers, enable_fallback=0)
        ort_providers.check_in_use(providers, recording.get_providers())
        return recording

    session_with_graphs = gpu_graphs.with_graphs(
        bound,
        open_recording,
        lengths=lengths,
        labels=contract.output_dims["logits"][-1],
        device=device,
        allocate=allocate,
        name=name,
        tell=tell,
    )
    return gpu_session.PaddedRows(session_with_graphs)


def _gpu_options(
    config: Mapping[str, Any], device: Device, cuda: Mapping[str, str] | None = None
) -> tuple[ort.SessionOptions, list[ort_providers.Provider]]:
    """Options and providers of another session of the same model on the GPU; `cuda`: more options of its provider."""
    options = ort_options.session_options(config, "GPU", {})
    providers = ort_providers.providers(config, "GPU", str(device.number), ort.get_available_providers())
    more = {ort_providers.CUDA: dict(cuda or {})}
    return options, [(name, chosen | more.get(name, {})) for name, chosen in providers]


def fastest_on_cpu(
    file: Path,
    first: OrtSession,
    *,
    config: Mapping[str, Any],
    contract: Contract,
    environment: Mapping[str, str],
    tell: Tell,
    at_once: int = 1,
) -> Session:
    """`first` (ONNX Runtime with the configured file), or another runtime where the environment allows one and it is
    faster here, for so many runs at once. What is chosen is told in a sentence, with the figures."""
    name = cpu_runtimes.wanted(environment)
    if name == cpu_runtimes.ONNX_RUNTIME or not cpu_runtimes.is_classifier(config):
        return first
    model, flags = cpu_facts.read()
    openvino = ov_session.version()
    found = cpu_runtimes.candidates(file, name, flags, openvino=bool(openvino))
    if len(found) == 1:
        return first
    threads = ort_options.intra_op_threads(config, "CPU", environment)
    facts = [(candidate.name, remembered.file_facts(candidate.file)) for candidate in found]
    key = remembered.key_of(model, sorted(flags), threads, name, facts, ort.__version__, openvino)
    path = Path(environment[remembered.SETTING]) if environment.get(remembered.SETTING) else None

    def open_one(candidate: Candidate) -> Session:
        if candidate == found[0]:
            return first
        if candidate.name == cpu_runtimes.ONNX_RUNTIME:
            session = open_onnx_runtime(candidate.file, config, "CPU", "0", environment)
            return OrtSession(session, first.outputs, first.options)
        return ov_session.OpenVinoSession(
            candidate.file,
            candidate.name,
            threads,
            list(contract.outputs),
            may_quantize=cpu_runtimes.may_quantize(candidate.file, name),
            at_once=at_once,
        )

    with remembered.alone(path):
        entry = remembered.recall(path, key) or {}
        known = next((candidate for candidate in found if candidate.title == entry.get("runtime")), None)
        if known is not None:
            try:
                return open_one(known)
            except ov_session.UnsuitableError:
                pass  # then it is found out anew
        softmax = config.get("parameters", {}).get("activation", {}).get("string_value") != "sigmoid"
        sessions, unsuitable = _open_all(found, open_one)
        choice = cpu_runtimes.choose(sessions, softmax, prefer=name)
        refused = {**unsuitable, **choice.refused}
        tell(_sentence(config["name"], choice, refused))
        remembered.remember(
            path,
            key,
            {
                "model": config["name"],
                "runtime": choice.candidate.title,
                "file": str(choice.candidate.file),
                "settings": _settings(choice.candidate, threads),
                "rows_per_s": choice.rows_per_s,
                "refused": refused,
                "threads": threads,
                "cpu": model,
            },
        )
        return sessions[choice.candidate]


def _open_all(
    found: Sequence[Candidate], open_one: Callable[[Candidate], Session]
) -> tuple[dict[Candidate, Session], dict[str, str]]:
    """The sessions, and by title why the others could not be opened."""
    sessions: dict[Candidate, Session] = {}
    unsuitable = {}
    for candidate in found:
        try:
            sessions[candidate] = open_one(candidate)
        except ov_session.UnsuitableError as error:
            unsuitable[candidate.title] = str(error)
    return sessions, unsuitable


def _settings(candidate: Candidate, threads: int) -> Mapping[str, Any]:
    """For whoever wants to call the same runtime in process."""
    return {} if candidate.name == cpu_runtimes.ONNX_RUNTIME else ov_session.options(candidate.name, threads)


def _sentence(model: str, choice: cpu_runtimes.Choice, refused: Mapping[str, str]) -> str:
    figures = ", ".join(f"{title} {speed:g}" for title, speed in choice.rows_per_s.items())
    others = "".join(f"; not {title}: {reason}" for title, reason in refused.items())
    return f"{model} is computed by {choice.candidate.title} (rows/s here: {figures}{others})"
