"""The kinds of machine that a model has a configuration for: `configs/<name>.pbtxt`.

A module of its own without imports, for the same reason as cpu_runtime.
"""

from typing import Literal

# gpu-ort: by our backend; gpu, gpu-trt: as NVIDIA's container computes them, with CUDA or TensorRT.
TritonConfig = Literal["cpu", "gpu-ort", "gpu", "gpu-trt"]
