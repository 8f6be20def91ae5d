"""Promotion, rollback and canary: the repository and the running Triton move together, or neither does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from export.errors import ExportError
from export.repository import Repository
from export.triton import Triton
from export.triton_config import CANARY_SUFFIX


@dataclass(frozen=True)
class Switch:
    """A repository and the servers on it. Without servers only the repository moves, for their next start."""

    repository: Repository
    servers: Sequence[Triton]
    report: Callable[[str], None]

    def promote(self, name: str, version: int) -> None:
        """Puts a version into service, on disk and on every server; clients follow by themselves, no request fails.

        ExportError, and the former version serves on everywhere, if a server cannot load the new one. A canary of this
        very version has served its purpose and ends.
        """
        with self.repository.switching(name):
            self._check_servers()
            former = self.repository.history(name)
            self.repository.promote(name, version)
            self._follow(name, former)
            canary = self.repository.canary(name)
            if canary is not None and canary[0] == version:
                self._stop_canary(name)

    def rollback(self, name: str) -> int:
        """Puts the version into service that served before, in the same way; its number."""
        with self.repository.switching(name):
            self._check_servers()
            former = self.repository.history(name)
            before = self.repository.before(name)
            self.repository.put_in_service(name, before)
            self._follow(name, former)
            return before[-1]

    def start_canary(self, name: str, version: int, share: int) -> None:
        """Serves a version beside the one in service; clients give it `share` per cent of their batches.

        A canary that is running already is replaced. ExportError, and no canary, if a server cannot load it.
        """
        with self.repository.switching(name):
            self._check_servers()
            if self.repository.canary(name) is not None:
                self._stop_canary(name)
            self.repository.start_canary(name, version, share)
            length = self.repository.manifest(name, version).spec.lengths[0]
            try:
                for server in self.servers:
                    self.report(f"{server.url} loads {name} version {version} as a canary")
                    server.load(name + CANARY_SUFFIX)
                    server.answer(name + CANARY_SUFFIX, version, length)
            except BaseException:
                self._stop_canary(name)
                raise

    def stop_canary(self, name: str) -> None:
        """Ends the canary of a model; its share goes back to the version in service. ExportError where none runs."""
        with self.repository.switching(name):
            if self.repository.canary(name) is None:
                raise ExportError(f"no canary of {name} is running")
            self._check_servers()
            self._stop_canary(name)

    def remove(self, name: str, version: int) -> None:
        """Deletes a version that neither serves nor is tried out."""
        with self.repository.switching(name):
            self.repository.remove(name, version)

    def _check_servers(self) -> None:
        for server in self.servers:
            server.check()

    def _follow(self, name: str, former: list[int]) -> None:
        """Every server loads what the repository has in service now; if one cannot, all go back to where they were."""
        version = self.repository.require_in_service(name)
        length = self.repository.manifest(name, version).spec.lengths[0]
        try:
            self.repository.touch(name)
            for server in self.servers:
                self.report(f"{server.url} loads {name} version {version}")
                server.load(name)
                if server.version(name) != version:
                    raise ExportError(
                        f"Triton at {server.url} loaded {name} from another folder than {self.repository.folder}: name "
                        "the repository that it serves with --repository"
                    )
                server.answer(name, version, length)
        except BaseException:
            self.repository.put_in_service(name, former)
            self.repository.touch(name)
            for server in self.servers:
                self._load_again(server, name)
            raise

    def _load_again(self, server: Triton, name: str) -> None:
        """Best effort: where it fails, the server has what it had, and takes the repository's when it restarts."""
        try:
            server.load(name)
        except ExportError as error:
            self.report(f"could not be put back: {error}")

    def _stop_canary(self, name: str) -> None:
        # First the servers: what is loaded needs its files until it is gone, and clients stop asking once it is.
        for server in self.servers:
            try:
                server.unload(name + CANARY_SUFFIX)
            except ExportError as error:
                self.report(f"could not be unloaded: {error}")
        self.repository.stop_canary(name)
        self.report(f"the canary of {name} has ended")
