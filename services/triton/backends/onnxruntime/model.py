"""A Triton backend named `onnxruntime`, on Triton's Python backend.

It serves the config.pbtxt that NVIDIA's native ONNX Runtime backend serves, with ONNX Runtime from a wheel. Triton
puts this folder on the module path of each instance's process and imports `model`: hence the flat module names, and
no package around them.
"""

# The Python backend puts this folder on the module path; a type checker may not know it.
# mypy: disable-error-code="import-not-found,import-untyped"

import os

# Before ONNX Runtime is loaded: it would create a device id and report its start, which its API cannot take back.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import core_slots
import cpu_runtimes
import gpu_memory
import length_groups
import mixed_lengths
import ort_batches
import ort_contract
import ort_file
import ort_options
import sessions
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """One instance of a model: one process, one session."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Loads the model; TritonModelException (the model is refused) says what does not fit."""
        config = json.loads(args["model_config"])
        try:
            self._load(config, args)
        except (ort_file.ModelFileError, ort_options.OptionError, ort_contract.ContractError) as error:
            raise pb_utils.TritonModelException(f"unable to load model '{config['name']}', {error}") from None

    def _load(self, config: Mapping[str, Any], args: Mapping[str, str]) -> None:
        repository, version = Path(args["model_repository"]), args["model_version"]
        path = ort_file.find_model_file(repository, version, config.get("default_model_filename", ""))
        ort_file.check_format(path)
        kind, device = args["model_instance_kind"], args["model_instance_device_id"]
        session = sessions.open_onnx_runtime(path, config, kind, device, os.environ)
        self._contract = ort_contract.check(config, session)
        self._lengths, self._slots = self._sharing(config, kind)
        self._costs = length_groups.ON_CPU if kind == "CPU" else mixed_lengths.gpu_costs(config)
        if kind == "CPU":
            in_ort = sessions.OrtSession(session, list(self._contract.outputs), ort_options.run_options(config))
            self._session: cpu_runtimes.Session = sessions.fastest_on_cpu(
                path,
                in_ort,
                config=config,
                contract=self._contract,
                environment=os.environ,
                tell=_tell,
                at_once=self._slots.count if self._slots else 1,
            )
        else:
            self._session = sessions.on_gpu(
                path,
                session,
                config=config,
                contract=self._contract,
                device=gpu_memory.Device("cuda", int(device)),
                lengths=self._lengths,
                environment=os.environ,
                tell=_tell,
            )
        advice = ort_options.tuned_elsewhere(config, os.environ)
        # Once for all instances.
        if advice and args["model_instance_name"].endswith("_0"):
            pb_utils.Logger.log_warn(advice)

    def _sharing(self, config: Mapping[str, Any], kind: str) -> tuple[Sequence[int], core_slots.CoreSlots | None]:
        """The lengths that rows are padded to here, and the slots for several runs at once; none for other models."""
        if not cpu_runtimes.is_classifier(config):
            return (), None
        lengths, folder = mixed_lengths.lengths_of(config), core_slots.folder_of(os.environ)
        count = ort_options.shares_of_cores(config, os.environ) if kind == "CPU" else 1
        return lengths, core_slots.CoreSlots(folder, count) if lengths and folder and count > 1 else None

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """One response a request, in order. A request that cannot be decoded or run fails alone."""
        responses: list[Any] = [None] * len(requests)
        decoded: dict[int, ort_batches.Arrays] = {}
        for index, request in enumerate(requests):
            if request.is_cancelled():
                responses[index] = _failed("the request was cancelled", pb_utils.TritonError.CANCELLED)
                continue
            try:
                decoded[index] = self._decode(request)
            except ort_batches.InputError as error:
                responses[index] = _failed(str(error), pb_utils.TritonError.INVALID_ARG)
        outcomes = self._run_all(list(decoded.values()))
        for index, outcome in zip(decoded, outcomes, strict=True):
            responses[index] = _answer(requests[index], outcome)
        return responses

    def _run_all(self, requests: Sequence[ort_batches.Arrays]) -> list[ort_batches.Outcome]:
        if self._lengths and requests:
            return mixed_lengths.run_all(requests, self._lengths, self._session.run, self._slots, self._costs)
        return ort_batches.run_all(requests, self._contract, self._session.run)

    def _decode(self, request: Any) -> ort_batches.Arrays:
        tensors = self._contract.inputs
        arrays = {
            tensor.name(): ort_batches.decode(tensors[tensor.name()], tensor.as_numpy()) for tensor in request.inputs()
        }
        if self._lengths:
            mixed_lengths.check(arrays)
        return arrays


def _answer(request: Any, outcome: ort_batches.Outcome) -> Any:
    if isinstance(outcome, Exception):
        return _failed(f"onnx runtime error: {outcome}", pb_utils.TritonError.INTERNAL)
    names = request.requested_output_names()
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, outcome[name]) for name in names])


def _failed(message: str, code: int) -> Any:
    return pb_utils.InferenceResponse([], pb_utils.TritonError(message, code))


def _tell(sentence: str) -> None:
    """Into the server's output: its own log leaves out what is no warning."""
    print(sentence, flush=True)
