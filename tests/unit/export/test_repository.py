"""Versions on disk: whole or absent, one in service, nothing lost by a mistake."""

import json
import os
from pathlib import Path

import pytest

from export import files
from export.errors import ExportError
from export.repository import HISTORY, Repository
from export.version_folder import MANIFEST, check_files
from tests.hostile import deep
from tests.unit.export.versions import fill, publish


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "models")


def tree(folder: Path) -> dict[str, str]:
    """Every file with its content and every link with its target."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.name.endswith(".lock"):
            continue
        if path.is_symlink():
            found[str(path.relative_to(folder))] = f"-> {path.readlink()}"
        elif path.is_file():
            found[str(path.relative_to(folder))] = path.read_text()
    return found


def promote(repository: Repository, version: int) -> None:
    with repository.switching("sentiment"):
        repository.promote("sentiment", version)


def rollback(repository: Repository) -> None:
    with repository.switching("sentiment"):
        repository.put_in_service("sentiment", repository.before("sentiment"))


def test_the_first_version_is_in_service_and_the_next_ones_are_not(repository: Repository) -> None:
    assert [publish(repository) for _ in range(3)] == [1, 2, 3]
    assert repository.names() == ["sentiment"]
    assert repository.versions("sentiment") == [1, 2, 3]
    assert repository.in_service("sentiment") == 1
    folder = repository.folder / "sentiment"
    assert (folder / "config.pbtxt").read_text() == (folder / "1/configs/cpu.pbtxt").read_text()
    assert (folder / "configs" / "gpu.pbtxt").read_text() == (folder / "1/configs/gpu.pbtxt").read_text()


def test_an_export_that_fails_leaves_nothing(repository: Repository) -> None:
    publish(repository)
    before = tree(repository.folder.parent)

    def fail(name: str) -> None:
        with repository.new_version(name) as folder:
            fill(folder, name)
            raise RuntimeError

    for name in ("sentiment", "emotion"):
        with pytest.raises(RuntimeError):
            fail(name)
    assert tree(repository.folder.parent) == before
    assert repository.names() == ["sentiment"]


@pytest.mark.parametrize("damage", ["model.onnx", "tokenizer.json", "labels.txt", MANIFEST, "configs/gpu.pbtxt"])
def test_what_is_not_whole_is_never_published(repository: Repository, damage: str) -> None:
    def publish_damaged() -> None:
        with repository.new_version("sentiment") as folder:
            fill(folder)
            (folder / damage).unlink()

    with pytest.raises(ExportError):
        publish_damaged()
    assert repository.names() == []


def test_a_version_from_before_a_kind_of_machine_gets_its_configuration_on_its_way_into_service(
    repository: Repository,
) -> None:
    versions = [publish(repository) for _ in range(4)]
    written = []
    for version in versions:
        path = repository.version_folder("sentiment", version) / "configs" / "gpu-ort.pbtxt"
        written.append(path.read_text())
        path.unlink()
    promote(repository, 2)
    promote(repository, 3)
    (repository.version_folder("sentiment", 2) / "configs" / "gpu-ort.pbtxt").unlink()
    rollback(repository)
    with repository.switching("sentiment"):
        repository.start_canary("sentiment", 4, 10)
    assert repository.in_service("sentiment") == 2
    for version in (2, 3, 4):
        path = repository.version_folder("sentiment", version) / "configs" / "gpu-ort.pbtxt"
        assert path.read_text() == written[version - 1]
    assert (repository.folder / "sentiment_canary" / "configs" / "gpu-ort.pbtxt").is_file()


@pytest.mark.parametrize("damage", ["model.onnx", "model.fp16.onnx", "tokenizer.json", "labels.txt"])
def test_a_damaged_version_comes_into_service_in_no_way(repository: Repository, damage: str) -> None:
    for _ in range(2):
        publish(repository)
    path = repository.version_folder("sentiment", 2) / damage
    path.write_bytes(path.read_bytes()[:-1])
    before = tree(repository.folder)
    with pytest.raises(ExportError, match=f"version 2 is damaged: {damage}"):
        promote(repository, 2)
    with pytest.raises(ExportError, match="damaged"):
        repository.start_canary("sentiment", 2, 10)
    assert tree(repository.folder) == before


def test_a_version_that_does_not_list_what_it_serves_comes_into_service_in_no_way(repository: Repository) -> None:
    publish(repository)
    manifest = repository.version_folder("sentiment", 1) / MANIFEST
    listed = json.loads(manifest.read_text())
    del listed["files"]["model.fp16.onnx"]
    manifest.write_text(json.dumps(listed))
    with pytest.raises(ExportError, match=r"its manifest lacks model\.fp16\.onnx"):
        promote(repository, 1)


def test_two_exports_of_one_model_do_not_meet(repository: Repository) -> None:
    with repository.new_version("sentiment") as folder:
        fill(folder)
        with pytest.raises(ExportError, match="another export of sentiment"), repository.new_version("sentiment"):
            pass
        # Another model is none of its business.
        publish(repository, "emotion")
    assert repository.versions("sentiment") == [1]
    assert repository.versions("emotion") == [1]


def test_a_taken_number_is_refused(repository: Repository) -> None:
    publish(repository)
    with pytest.raises(ExportError, match="has a version 1 already"), repository.new_version("sentiment", 1):
        pass


def test_promotions_are_walked_back_one_by_one(repository: Repository) -> None:
    for _ in range(3):
        publish(repository)
    for version in (2, 3, 1):
        promote(repository, version)
    assert repository.history("sentiment") == [1, 2, 3, 1]
    served = []
    for _ in range(3):
        rollback(repository)
        served.append(repository.in_service("sentiment"))
    assert served == [3, 2, 1]
    with pytest.raises(ExportError, match="nothing to roll back to"):
        rollback(repository)
    assert repository.in_service("sentiment") == 1


@pytest.mark.parametrize("record", [b"", b"3", b"{}", b"\xff", b'["1", null]', deep(100_000)], ids=range(6))
def test_a_damaged_record_of_versions_costs_the_way_back_and_nothing_else(
    repository: Repository, record: bytes
) -> None:
    publish(repository)
    promote(repository, 1)
    (repository.folder / "sentiment" / HISTORY).write_bytes(record)
    assert repository.history("sentiment") == [1]
    publish(repository)
    promote(repository, 2)
    assert repository.history("sentiment") == [1, 2]


def test_promoting_what_serves_changes_nothing(repository: Repository) -> None:
    for _ in range(2):
        publish(repository)
    promote(repository, 2)
    promote(repository, 2)
    assert repository.history("sentiment") == [1, 2]


def test_a_rollback_passes_over_what_was_removed(repository: Repository) -> None:
    for _ in range(3):
        publish(repository)
    promote(repository, 2)
    promote(repository, 3)
    repository.remove("sentiment", 2)
    rollback(repository)
    assert repository.in_service("sentiment") == 1


@pytest.mark.parametrize("record", [None, "", "[1", "{}", "[2, 1, 2]", '["1"]', "[1]", "[1, 2, 3]"])
def test_the_link_alone_decides_whatever_the_record_says(repository: Repository, record: str | None) -> None:
    """A crash between the two leaves a record that is ahead or behind, or none."""
    for _ in range(3):
        publish(repository)
    promote(repository, 2)
    path = repository.folder / "sentiment" / HISTORY
    path.unlink() if record is None else path.write_text(record)
    assert repository.in_service("sentiment") == 2
    assert repository.history("sentiment")[-1] == 2
    promote(repository, 3)
    rollback(repository)
    assert repository.in_service("sentiment") == 2


def test_what_serves_or_is_tried_out_cannot_be_removed(repository: Repository) -> None:
    for _ in range(2):
        publish(repository)
    repository.start_canary("sentiment", 2, 10)
    before = tree(repository.folder)
    with pytest.raises(ExportError, match="in service"):
        repository.remove("sentiment", 1)
    with pytest.raises(ExportError, match="canary"):
        repository.remove("sentiment", 2)
    with pytest.raises(ExportError, match="no version 3; there are 1, 2"):
        repository.remove("sentiment", 3)
    assert tree(repository.folder) == before


def test_a_removed_number_is_free_only_at_the_end(repository: Repository) -> None:
    for _ in range(3):
        publish(repository)
    repository.remove("sentiment", 2)
    assert repository.versions("sentiment") == [1, 3]
    assert publish(repository) == 4


def test_a_canary_has_its_own_configurations_and_the_version_s_files(repository: Repository) -> None:
    for _ in range(2):
        publish(repository)
    repository.start_canary("sentiment", 2, 25)
    assert repository.canary("sentiment") == (2, 25)
    assert repository.names() == ["sentiment"]
    folder = repository.folder / "sentiment_canary"
    assert (folder / "2" / "model.onnx").read_text() == "fp32 weights of sentiment 2"
    assert 'name: "sentiment_canary"' in (folder / "config.pbtxt").read_text()
    with pytest.raises(ExportError, match="is running"):
        repository.start_canary("sentiment", 2, 50)
    repository.stop_canary("sentiment")
    assert repository.canary("sentiment") is None
    assert not folder.exists()
    check_files(repository.version_folder("sentiment", 2))


def test_what_serves_cannot_be_its_own_canary(repository: Repository) -> None:
    publish(repository)
    with pytest.raises(ExportError, match="in service already"):
        repository.start_canary("sentiment", 1, 10)


def test_unfinished_work_of_a_dead_process_is_tidied_up(repository: Repository) -> None:
    publish(repository)
    with files.staging(repository.folder, "sentiment") as work:
        root = work.parent
        dead, alive = root / "sentiment.999999999.aa", root / f"sentiment.{os.getpid()}.bb"
        for folder in (dead, alive):
            (folder / "2").mkdir(parents=True)
        publish(repository)
        assert not dead.exists()
        assert alive.exists()


def test_a_folder_that_is_no_version_is_not_one(repository: Repository) -> None:
    publish(repository)
    (repository.folder / "sentiment" / "7").mkdir()
    (repository.folder / "notes").mkdir()
    assert repository.versions("sentiment") == [1]
    assert repository.names() == ["sentiment"]
    with pytest.raises(ExportError, match="no version 7; there is 1"):
        promote(repository, 7)
    # Its number is taken all the same.
    assert publish(repository) == 8


def test_an_empty_place_says_so(repository: Repository) -> None:
    assert repository.names() == []
    with pytest.raises(ExportError, match="no model sentiment in service"):
        repository.require_in_service("sentiment")


def test_a_text_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        files.write_text(path, "new \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
