"""All targets, by name; a process that fuzzes one needs the modules of that one only."""

from importlib import import_module

from tests.fuzz.target import Target

MODULES = ("posts", "files", "api", "inference", "exporter", "machine")


def targets_of(module: str) -> dict[str, Target]:
    targets: tuple[Target, ...] = import_module(f"tests.fuzz.targets.{module}").TARGETS
    return {target.name: target for target in targets}


def all_targets() -> dict[str, Target]:
    return {name: target for module in MODULES for name, target in targets_of(module).items()}


def module_of(name: str) -> str:
    return next(module for module in MODULES if name in targets_of(module))
