"""Memory that a GPU is filled from: the processor's, locked in place, and the device's beside it."""

# The Python backend puts this folder on the module path; a type checker may not know it.
# mypy: disable-error-code="import-not-found,import-untyped"

import ctypes
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
import ort_options
from ort_batches import Array

# Whoever measures sets it: auto or off.
SETTING = "UNDERTONE_GPU_PINNED"
LOADED = Path("/proc/self/maps")
# Bytes -> an array of so many.
Allocate = Callable[[int], Array]


class Device(NamedTuple):
    """Where tensors are bound, as ONNX Runtime calls it: `cuda` or, for the processor's own memory, `cpu`."""

    kind: str
    number: int

    @classmethod
    def parse(cls, text: str) -> "Device":
        """`cuda:0`, say."""
        kind, _, number = text.partition(":")
        return cls(kind, int(number))


class Buffer:
    """An input's memory on the device, kept, and the processor's that it is filled from."""

    def __init__(self, shape: Sequence[int], dtype: np.dtype[Any], device: Device, allocate: Allocate) -> None:
        count = int(np.prod(shape))
        self._host = allocate(count * dtype.itemsize).view(dtype).reshape(shape)
        self._host.fill(0)
        self.value = ort.OrtValue.ortvalue_from_shape_and_type(list(shape), dtype, device.kind, device.number)

    def fill(self, array: Array) -> None:
        """The first of its numbers are those of `array`; what an earlier fill left behind them stays."""
        np.copyto(self._host.reshape(-1)[: array.size].reshape(array.shape), array)
        # The whole of it: ONNX Runtime copies no part of a tensor.
        self.value.update_inplace(self._host)


def ordinary(size: int) -> Array:
    return np.empty(size, np.uint8)


class Pinned:
    """Allocates locked memory, which a GPU reads by itself instead of through the driver's copy.

    It is never freed: it lives as long as the instance's process. Where no more is to be had, the rest is ordinary
    memory, and `tell` is told so once.
    """

    def __init__(self, runtime: Any, tell: Callable[[str], None]) -> None:
        """`runtime`: CUDA's library."""
        self._runtime: Any | None = runtime
        self._tell = tell

    def __call__(self, size: int) -> Array:
        if self._runtime is None:
            return ordinary(size)
        address = ctypes.c_void_p()
        error = self._runtime.cudaHostAlloc(ctypes.byref(address), ctypes.c_size_t(size), ctypes.c_uint(0))
        if error or not address.value:
            self._runtime = None
            self._tell(f"the GPU is filled from ordinary memory: locking {size:,} bytes gave CUDA's error {error}")
            return ordinary(size)
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address.value))


def allocator(
    environment: Mapping[str, str],
    device: Device,
    tell: Callable[[str], None],
    *,
    maps: Path = LOADED,
    load: Callable[[str], Any] = ctypes.CDLL,
) -> Allocate:
    """Locked memory where it can be had and the environment does not say otherwise; `tell` is told why it cannot.

    `maps`, `load`: the libraries that this process has loaded, and what opens one. OptionError where the environment's
    variable is neither auto nor off.
    """
    if not ort_options.switched_on(environment, SETTING):
        return ordinary
    path = _cuda_runtime(maps.read_text())
    if path is None:
        tell("the GPU is filled from ordinary memory: this process has loaded no libcudart")
        return ordinary
    try:
        runtime = load(path)
        # Else the memory would belong to the first GPU, and with it a context there.
        error = runtime.cudaSetDevice(ctypes.c_int(device.number))
    except (OSError, AttributeError) as reason:
        tell(f"the GPU is filled from ordinary memory: {reason}")
        return ordinary
    if error:
        tell(f"the GPU is filled from ordinary memory: choosing GPU {device.number} gave CUDA's error {error}")
        return ordinary
    return Pinned(runtime, tell)


def _cuda_runtime(maps: str) -> str | None:
    """The file of CUDA's runtime among the loaded ones: ONNX Runtime's, not the one that Triton's wheel renamed."""
    paths = (line.split(maxsplit=5)[5] for line in maps.splitlines() if "/libcudart.so" in line)
    return next(paths, None)
