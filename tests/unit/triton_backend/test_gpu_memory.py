"""Where a GPU is filled from: locked memory if CUDA gives it, and a sentence if not. CUDA's library is a stand-in."""

# The backend's folder is on the module path only while these tests run.
# mypy: disable-error-code="import-not-found"

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TRITONS_OWN = "7f0-7f1 r-xp 00000000 08:01 7   /env/nvidia_pytriton.libs/libcudart-09529672.so.12.6.77\n"
ONNX_RUNTIMES = "7f2-7f3 r-xp 00000000 08:01 8   /env/nvidia/cu13/lib/libcudart.so.13\n"


class Cuda:
    """CUDA's runtime: it gives memory for `limit` allocations, then the error for none."""

    def __init__(self, limit: int = 100, error: int = 0) -> None:
        self.device: int | None = None
        self.given: dict[int, Any] = {}
        self._limit, self._error = limit, error

    def cudaSetDevice(self, device: Any) -> int:  # noqa: N802 # CUDA's name
        self.device = device.value
        return self._error

    def cudaHostAlloc(self, address: Any, size: Any, flags: Any) -> int:  # noqa: N802 # likewise
        assert flags.value == 0
        if len(self.given) == self._limit:
            return 2
        memory = ctypes.create_string_buffer(size.value)
        address._obj.value = ctypes.addressof(memory)
        self.given[address._obj.value] = memory
        return 0


def allocator_of(
    folder: Path,
    load: Callable[[str], Any],
    told: list[str],
    *,
    loaded: str = TRITONS_OWN + ONNX_RUNTIMES,
    **switch: str,
) -> Any:
    from gpu_memory import Device, allocator

    maps = folder / "maps"
    maps.write_text(f"7e0-7e1 rw-p 00000000 00:00 0\n{loaded}")
    return allocator(switch, Device("cuda", 1), told.append, maps=maps, load=load)


def test_memory_is_locked_by_the_runtime_that_onnx_runtime_has_loaded(tmp_path: Path) -> None:
    """And on the instance's own GPU."""
    cuda, told, paths = Cuda(), list[str](), list[str]()

    def load(path: str) -> Cuda:
        paths.append(path)
        return cuda

    allocate = allocator_of(tmp_path, load, told)
    arrays = [allocate(size) for size in (8, 4_096)]
    assert [(array.dtype, array.size) for array in arrays] == [(np.uint8, 8), (np.uint8, 4_096)]
    assert [array.ctypes.data for array in arrays] == list(cuda.given)
    arrays[0][:] = 7
    assert next(iter(cuda.given.values())).raw == b"\x07" * 8
    assert (paths, cuda.device, told) == (["/env/nvidia/cu13/lib/libcudart.so.13"], 1, [])


def test_where_no_more_can_be_locked_the_rest_is_ordinary_and_that_is_told_once(tmp_path: Path) -> None:
    cuda, told = Cuda(limit=1), list[str]()
    allocate = allocator_of(tmp_path, lambda path: cuda, told)
    arrays = [allocate(64) for _ in range(4)]
    for number, array in enumerate(arrays):
        array[:] = number
    assert [int(array[0]) for array in arrays] == [0, 1, 2, 3]
    assert len(cuda.given) == 1
    assert told == ["the GPU is filled from ordinary memory: locking 64 bytes gave CUDA's error 2"]


def test_without_a_loaded_runtime_memory_is_ordinary(tmp_path: Path) -> None:
    told = list[str]()
    allocate = allocator_of(tmp_path, lambda path: Cuda(), told, loaded=TRITONS_OWN)
    assert allocate(16).size == 16
    assert told == ["the GPU is filled from ordinary memory: this process has loaded no libcudart"]


@pytest.mark.parametrize(
    ("library", "reason"), [(OSError("damaged"), "damaged"), (Cuda(error=101), "choosing GPU 1 gave CUDA's error 101")]
)
def test_a_runtime_that_does_not_work_is_told(tmp_path: Path, library: Any, reason: str) -> None:
    def load(path: str) -> Any:
        if isinstance(library, Exception):
            raise library
        return library

    told = list[str]()
    assert allocator_of(tmp_path, load, told)(16).size == 16
    assert told == [f"the GPU is filled from ordinary memory: {reason}"]


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    from ort_options import OptionError

    cuda, told = Cuda(), list[str]()
    assert allocator_of(tmp_path, lambda path: cuda, told, UNDERTONE_GPU_PINNED="off")(16).size == 16
    assert (cuda.device, told) == (None, [])
    with pytest.raises(OptionError, match="UNDERTONE_GPU_PINNED: 'yes' is neither auto nor off"):
        allocator_of(tmp_path, lambda path: cuda, told, UNDERTONE_GPU_PINNED="yes")
