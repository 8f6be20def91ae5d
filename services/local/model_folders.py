"""The folders of a model repository; standard library only, as a container needs them, too."""

from pathlib import Path

CANARY_SUFFIX = "_canary"


def model_names(repository: Path, config_name: str) -> list[str]:
    """Folders with a configuration, sorted. Those whose names begin with a dot are the exporter's unfinished work."""
    return sorted(
        folder.name
        for folder in repository.glob("*/")
        if not folder.name.startswith(".") and config_file(folder, config_name)
    )


def config_file(model: Path, config_name: str) -> Path | None:
    """The named configuration of the model, else its default one: the server chooses in the same way."""
    candidates = (model / "configs" / f"{config_name}.pbtxt", model / "config.pbtxt")
    return next((path for path in candidates if path.is_file()), None)


def on_gpu(config_name: str) -> bool:
    """Whether the configurations of that name are for a GPU: gpu, gpu-ort, gpu-trt."""
    return config_name.startswith("gpu")


def threads_per_instance(cores: int, instances: int) -> int:
    """Intra-op threads of each instance: all together at most the physical cores, but one each in any case."""
    return max(1, cores // max(1, instances))
