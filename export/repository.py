"""The model repository on disk: versions that appear whole or not at all, and the one link that says which one serves.

<name>/<version>/           a version: weights, labels, tokenizer, card, reports, configs/, version.json
<name>/configs              link to <version>/configs: the version in service, switched by one rename
<name>/config.pbtxt         link to configs/cpu.pbtxt, for a Triton without --model-config-name
<name>_canary/              while a canary runs: configurations of its own, the version as a link
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from export.errors import ExportError
from export.files import link, locked, staging, sync, write_text
from export.spec import TARGETS, Manifest
from export.triton_config import CANARY_SUFFIX, Canary, parse, render, serving_of
from export.version_folder import CONFIGS, MANIFEST, add_later_configs, check_files, read_manifest, sha256_served

HISTORY = "history.json"
# A promotion takes seconds; who comes second waits for it.
SWITCH_WAIT_S = 60.0


@dataclass(frozen=True)
class Repository:
    """A folder of models. Nothing is read before a method asks for it, and nothing is remembered."""

    folder: Path

    def names(self) -> list[str]:
        """The models that have a version in service or at least one whole version, canaries left out."""
        if not self.folder.is_dir():
            return []
        return sorted(
            path.name
            for path in self.folder.iterdir()
            if path.is_dir() and not path.name.startswith(".") and self.canary_of(path.name) is None
            if self.versions(path.name)
        )

    def versions(self, name: str) -> list[int]:
        """The whole versions of a model, ascending."""
        folder = self.folder / name
        found = [path for path in folder.iterdir() if path.name.isdecimal()] if folder.is_dir() else []
        return sorted(int(path.name) for path in found if (path / MANIFEST).is_file())

    def version_folder(self, name: str, version: int) -> Path:
        return self.folder / name / str(version)

    def manifest(self, name: str, version: int) -> Manifest:
        """ExportError where there is no such version, or its manifest is damaged."""
        if version not in self.versions(name):
            raise ExportError(f"{name} has no version {version}{self._what_there_is(name)}")
        return read_manifest(self.version_folder(name, version))

    def in_service(self, name: str) -> int | None:
        """The version that `configs` points to; None where there is no such model."""
        path = self.folder / name / CONFIGS
        version = path.readlink().parts[0] if path.is_symlink() else ""
        return int(version) if version.isdecimal() else None

    def require_in_service(self, name: str) -> int:
        """The same; ExportError where there is none."""
        version = self.in_service(name)
        if version is None:
            raise ExportError(f"{self.folder} has no model {name} in service{self._what_there_is(name)}")
        return version

    def next_version(self, name: str) -> int:
        """One more than the highest number in the folder, whole or not: a number never means two things."""
        folder = self.folder / name
        numbers = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()] if folder.is_dir() else []
        return max(numbers, default=0) + 1

    @contextmanager
    def new_version(self, name: str, version: int | None = None) -> Iterator[Path]:
        """An empty folder to fill, named by its number; when the block ends it is the version, when it raises nothing.

        The first version of a model is in service at once. ExportError where the number is taken or another export of
        the same model is at work.
        """
        with locked(self.folder, f"{name}.export", f"another export of {name} is at work"):
            version = version or self.next_version(name)
            if (self.folder / name / str(version)).exists():
                raise ExportError(f"{name} has a version {version} already: leave --version out, or remove it first")
            with staging(self.folder, name) as work:
                candidate = work / name / str(version)
                candidate.mkdir(parents=True)
                yield candidate
                check_files(candidate)
                sync(candidate)
                if (self.folder / name).exists():
                    candidate.rename(self.folder / name / str(version))
                else:
                    link(f"{version}/{CONFIGS}", candidate.parent / CONFIGS)
                    link(f"{CONFIGS}/cpu.pbtxt", candidate.parent / "config.pbtxt")
                    sync(candidate.parent)
                    candidate.parent.rename(self.folder / name)
                sync(self.folder / name, deep=False)

    @contextmanager
    def switching(self, name: str) -> Iterator[None]:
        """Held around the methods below: one promotion, rollback, removal or canary of a model at a time."""
        with locked(self.folder, f"{name}.switch", f"another command is switching {name}", wait_s=SWITCH_WAIT_S):
            yield

    def promote(self, name: str, version: int) -> None:
        """Puts a whole version into service, on disk. ExportError where it is not whole."""
        self.manifest(name, version)
        add_later_configs(self.version_folder(name, version))
        check_files(self.version_folder(name, version))
        if version != self.in_service(name):
            self.put_in_service(name, [*self.history(name), version])

    def before(self, name: str) -> list[int]:
        """The history without the version in service: up to the one that a rollback leads to. ExportError if none."""
        *earlier, current = self.history(name) or [0]
        there = self.versions(name)
        while earlier and (earlier[-1] == current or earlier[-1] not in there):
            earlier.pop()
        if not earlier:
            raise ExportError(f"{name} has served no other version that is still there: nothing to roll back to")
        add_later_configs(self.version_folder(name, earlier[-1]))
        check_files(self.version_folder(name, earlier[-1]))
        return earlier

    def put_in_service(self, name: str, history: list[int]) -> None:
        """Switches to the last version of `history`."""
        write_text(self.folder / name / HISTORY, json.dumps(history) + "\n")
        link(f"{history[-1]}/{CONFIGS}", self.folder / name / CONFIGS)

    def touch(self, name: str) -> None:
        """Makes the configurations in service look new: Triton loads again only what seems to have changed.

        It looks at times alone, and a configuration that it was given instead of the file (by `tune`) does not count.
        """
        for path in (self.folder / name / CONFIGS).glob("*.pbtxt"):
            os.utime(path)

    def history(self, name: str) -> list[int]:
        """The versions in the order in which they came into service, the current one last. Rollbacks shorten it."""
        current = self.in_service(name)
        if current is None:
            return []
        try:
            recorded = json.loads((self.folder / name / HISTORY).read_text())
            past = [version for version in recorded if isinstance(version, int)]
        except (OSError, ValueError, TypeError, RecursionError):
            past = []
        # The link alone decides; a crash between it and the record is mended here.
        return [*past[: len(past) - past[::-1].index(current) - 1], current] if current in past else [*past, current]

    def remove(self, name: str, version: int) -> None:
        """Deletes a version that neither serves nor is tried out. It disappears at once, then its files are deleted."""
        if version == self.in_service(name):
            raise ExportError(f"{name} version {version} is in service: promote another one first")
        canary = self.canary(name)
        if canary is not None and canary[0] == version:
            raise ExportError(f"{name} version {version} is a canary: end it first (canary {name} --stop)")
        folder = self.version_folder(name, version)
        if not folder.is_dir():
            raise ExportError(f"{name} has no version {version}{self._what_there_is(name)}")
        with staging(self.folder, name) as work:
            folder.rename(work / "removed")

    def canary_of(self, folder_name: str) -> str | None:
        """The model that a folder is the canary of."""
        name = folder_name.removesuffix(CANARY_SUFFIX)
        return name if name != folder_name and (self.folder / name).is_dir() else None

    def canary(self, name: str) -> tuple[int, int] | None:
        """(version, share in per cent) of the canary of a model."""
        path = self.folder / (name + CANARY_SUFFIX) / CONFIGS / "cpu.pbtxt"
        if not path.is_file():
            return None
        values = {key: parameter.string_value for key, parameter in parse(path.read_text()).parameters.items()}
        return int(values["version"]), int(values["canary_share"])

    def start_canary(self, name: str, version: int, share: int) -> None:
        """`<name>_canary` appears, whole. ExportError where the version cannot be one, or another canary is there."""
        manifest = self.manifest(name, version)
        folder = self.version_folder(name, version)
        add_later_configs(folder)
        check_files(folder)
        if version == self.require_in_service(name):
            raise ExportError(f"{name} version {version} is in service already")
        if self.canary(name) is not None:
            raise ExportError(f"a canary of {name} is running: end it first (canary {name} --stop)")
        with staging(self.folder, name) as work:
            model = work / (name + CANARY_SUFFIX)
            (model / CONFIGS).mkdir(parents=True)
            link(f"../{name}/{version}", model / str(version))
            for target in TARGETS:
                file = f"{CONFIGS}/{target}.pbtxt"
                text = render(
                    manifest.spec,
                    target,
                    weights_sha256=sha256_served(manifest, target),
                    serving=serving_of(parse((folder / file).read_text())),
                    canary=Canary(name, share),
                )
                write_text(model / file, text)
            link(f"{CONFIGS}/cpu.pbtxt", model / "config.pbtxt")
            sync(model)
            model.rename(self.folder / model.name)

    def stop_canary(self, name: str) -> None:
        """`<name>_canary` disappears at once, if it is there."""
        folder = self.folder / (name + CANARY_SUFFIX)
        if folder.is_dir():
            with staging(self.folder, name) as work:
                folder.rename(work / "removed")

    def _what_there_is(self, name: str) -> str:
        versions = self.versions(name)
        if versions:
            return f"; there {'is' if len(versions) == 1 else 'are'} {', '.join(map(str, versions))}"
        return f"; models in {self.folder}: {', '.join(self.names()) or 'none'}"
