"""What the server gets to see: copies of its backends and of the model repository, both where it may write.

The server sets the execute bit of its Python stub at every start, and thread counts depend on the machine; neither
belongs into the installed wheel or the project's model repository.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from services.common.errors import ConfigurationError
from services.local.cores import physical_cores

OWN_BACKENDS = Path(__file__).parents[1] / "triton" / "backends"
# The configuration derived for this machine, beside the repository's own ones in the staged copy.
LOCAL_CONFIG = "local"
THREADS = "intra_op_thread_count"
_COMMENT = "# From {source}, with {threads} for this machine ({cores} cores, {instances} instances).\n"


@dataclass(frozen=True)
class Staged:
    """Folders to give to the server, and the configurations it will serve under the name `LOCAL_CONFIG`."""

    backends: Path
    models: Path
    configs: Sequence[ModelConfig]


def stage(
    wheel: Path, stub: Path, model_repository: Path, work_dir: Path, *, config_name: str, threads: int | None
) -> Staged:
    """Fills `work_dir` anew. `wheel`: the folder with `backends/python`; `stub`: the one of its Python.

    Models are linked, not copied. ConfigurationError where the repository has no model or an unreadable configuration.
    """
    backends, models = work_dir / "backends", work_dir / "models"
    for folder in (backends, models):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    shutil.copytree(wheel / "backends" / "python", backends / "python")
    shutil.copy(stub, backends / "python" / stub.name)
    shutil.copytree(OWN_BACKENDS, backends, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    configs = _stage_models(model_repository.resolve(), models, config_name, threads)
    return Staged(backends, models, configs)


def threads_per_instance(cores: int, instances: int) -> int:
    """Intra-op threads of each instance: all together at most the physical cores, but one each in any case."""
    return max(1, cores // max(1, instances))


def _stage_models(repository: Path, models: Path, config_name: str, threads: int | None) -> list[ModelConfig]:
    found = {folder.name: _config_file(folder, config_name) for folder in sorted(repository.glob("*/"))}
    sources = {name: path for name, path in found.items() if path}
    configs = {name: _read(path) for name, path in sources.items()}
    if not configs:
        raise ConfigurationError(f"{repository} has no model (a folder with a config.pbtxt): set MODEL_REPOSITORY")
    cores, instances = physical_cores(), sum(_instances(config) for config in configs.values())
    count = threads or threads_per_instance(cores, instances)
    for name, config in configs.items():
        target = models / name
        (target / "configs").mkdir(parents=True)
        for entry in (repository / name).iterdir():
            if entry.name != "configs":
                (target / entry.name).symlink_to(entry)
        # A count that is no number stays, for the backend to refuse as NVIDIA's does.
        if THREADS not in config.parameters or config.parameters[THREADS].string_value.isdecimal():
            config.parameters[THREADS].string_value = str(count)
        comment = _COMMENT.format(
            source=f"{name}/{sources[name].name}", threads=THREADS, cores=cores, instances=instances
        )
        text = comment + text_format.MessageToString(config)
        (target / "configs" / f"{LOCAL_CONFIG}.pbtxt").write_text(text)
    return list(configs.values())


def _config_file(model: Path, config_name: str) -> Path | None:
    """The named configuration of the model, else its default one: the server chooses in the same way."""
    candidates = (model / "configs" / f"{config_name}.pbtxt", model / "config.pbtxt")
    return next((path for path in candidates if path.is_file()), None)


def _read(path: Path) -> ModelConfig:
    try:
        return text_format.Parse(path.read_text(), ModelConfig())
    except text_format.ParseError as error:
        raise ConfigurationError(f"{path} is not a Triton model configuration: {error}") from None


def _instances(config: ModelConfig) -> int:
    """Processes that will serve the model on the CPU."""
    cpu = [group for group in config.instance_group if group.kind != ModelInstanceGroup.KIND_GPU]
    # Triton's default, where a CPU model has no instance group, is two.
    return sum(group.count or 1 for group in cpu) if config.instance_group else 2
