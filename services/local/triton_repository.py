"""Which models of a repository the server loads, by which configurations, and how many cores each instance gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from services.common.errors import ConfigurationError
from services.local.cores import physical_cores
from services.local.model_folders import CANARY_SUFFIX, config_file, model_names, threads_per_instance

# The parameter that says of which model a canary is one.
CANARY_OF = "canary_of"


@dataclass(frozen=True)
class Models:
    """`required`: name -> configuration of what has to answer. `canaries` are loaded too, if they can be."""

    required: Mapping[str, ModelConfig]
    canaries: Sequence[str]

    @property
    def threads(self) -> int:
        """Intra-op threads of each instance, canaries left out: they come and go, and most of the load passes them."""
        return threads_per_instance(physical_cores(), sum(map(_instances, self.required.values())))


def read_models(repository: Path, config_name: str, only: Sequence[str] = ()) -> Models:
    """The models of the repository, or `only` these, and then all of them have to answer.

    ConfigurationError where there is none or a required one's configuration cannot be read.
    """
    names = model_names(repository, config_name)
    unknown = sorted(set(only) - set(names))
    if unknown:
        raise ConfigurationError(
            f"{repository} has no model {', '.join(unknown)}; there {_are(names)} {', '.join(names) or 'none'}"
        )
    required, canaries = {}, []
    for name in only or names:
        try:
            config = _read(repository, name, config_name)
        except ConfigurationError:
            if only or not _looks_like_a_canary(repository, name):
                raise
            canaries.append(name)  # the server's log says what is wrong with it
            continue
        if CANARY_OF in config.parameters and not only:
            canaries.append(name)
        else:
            required[name] = config
    if not required:
        raise ConfigurationError(f"{repository} has no model (a folder with a config.pbtxt): name another folder")
    return Models(required, canaries)


def _read(repository: Path, name: str, config_name: str) -> ModelConfig:
    path = config_file(repository / name, config_name)
    if path is None:
        raise ConfigurationError(f"{repository / name} has lost its configuration: somebody is changing the repository")
    try:
        config = text_format.Parse(path.read_text(), ModelConfig())
    except (text_format.ParseError, UnicodeDecodeError, OSError) as error:
        raise ConfigurationError(f"{path} is not a Triton model configuration: {error}") from None
    config.name = config.name or name
    if config.name != name:
        raise ConfigurationError(f"{path} is for a model named {config.name}: its folder must have the same name")
    return config


def _looks_like_a_canary(repository: Path, name: str) -> bool:
    """By its name, where the configuration cannot say it."""
    model = name.removesuffix(CANARY_SUFFIX)
    return model != name and (repository / model).is_dir()


def _instances(config: ModelConfig) -> int:
    """Processes that will serve the model on the CPU."""
    cpu = [group for group in config.instance_group if group.kind != ModelInstanceGroup.KIND_GPU]
    # Triton's default, where a CPU model has no instance group, is two.
    return sum(group.count or 1 for group in cpu) if config.instance_group else 2


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) < 2 else "are"
