"""The running Triton as a tuning sees it: it tries configurations that are in no file, and takes them back."""

import os
from contextlib import suppress
from pathlib import Path

from google.protobuf.json_format import MessageToJson
from tritonclient.grpc.model_config_pb2 import ModelConfig

from export.errors import ExportError
from export.spec import ModelSpec, Target
from export.triton import ASK_TIMEOUT_S, LOAD_TIMEOUT_S, Triton
from export.triton_config import Serving, parse, serving_of, spec_of


class TrialTriton(Triton):
    """A server at `host:port` with explicit model control."""

    without_control = "does not let models be loaded: start it with --model-control-mode=explicit"
    when_away = "start it, or name it with --triton HOST:PORT"

    def served(self, spec: ModelSpec) -> ModelConfig:
        """The configuration that `spec` is served with; ExportError where it is not what the server has."""
        config = self.config(spec.name)
        if config is None:
            raise ExportError(f"Triton at {self.url} does not serve {spec.name}: start it on the model repository")
        found = spec_of(config)
        if found != spec:
            raise ExportError(
                f"Triton at {self.url} serves {_identity(found)}, but {_identity(spec)} is in service in the "
                "repository: name the repository that it serves with --repository, or promote a version"
            )
        return config

    def others(self, name: str) -> list[str]:
        """The other models that are ready."""
        with self._errors("does not tell its models"):
            index = self._client.get_model_repository_index(client_timeout=ASK_TIMEOUT_S)
        return sorted({model.name for model in index.models if model.state == "READY"} - {name})

    def try_out(self, config: ModelConfig) -> None:
        """Serves a model with this configuration instead of the file's; what is served goes on until it is ready."""
        text = MessageToJson(config, preserving_proto_field_name=True)
        with self._errors(f"cannot load {config.name}"):
            self._client.load_model(config.name, config=text, client_timeout=LOAD_TIMEOUT_S)

    def load_file(self, name: str, file: Path) -> None:
        """Serves what the configuration file in the server's repository says, whatever was tried.

        ExportError where the server does not. Triton loads nothing when no file of the model has changed, even if what
        it serves is not what the file says: so the file gets a new time.
        """
        with suppress(OSError):
            os.utime(file)
        self.load(name)
        if not self._serves(parse(file.read_text())):
            raise ExportError(
                f"Triton at {self.url} does not serve {name} as {file} says: name the repository that it serves with "
                "--repository"
            )

    def restore(self, name: str, file: Path) -> None:
        """The same, also where the file cannot be given a new time: then the server is told what is in it."""
        try:
            self.load_file(name, file)
        except ExportError:
            self.try_out(parse(file.read_text()))

    def _serves(self, wanted: ModelConfig) -> bool:
        config = self.config(wanted.name)
        return config is not None and serving_of(config) == serving_of(wanted) and spec_of(config) == spec_of(wanted)


def override(served: ModelConfig, target: Target, serving: Serving) -> ModelConfig:
    """The served configuration with another setting, and with nothing else changed."""
    config = ModelConfig()
    config.CopyFrom(served)
    del config.instance_group[1:]
    config.instance_group[0].count = serving.instances
    config.dynamic_batching.max_queue_delay_microseconds = serving.queue_delay_us
    if target == "cpu":
        config.parameters["intra_op_thread_count"].string_value = str(serving.threads)
        # Or a server on this machine would take its share of the cores instead.
        config.parameters["tuned_cores"].string_value = str(serving.tuned_cores)
    return config


def _identity(spec: ModelSpec) -> str:
    return f"{spec.title} ({spec.source} @ {spec.revision[:12]})"
