"""What may compute on the CPU in the embedded Triton.

A module of its own without imports: the exporter's environment starts that Triton, too, and has none of the services'
packages.
"""

from typing import Literal

CpuRuntime = Literal["auto", "onnxruntime", "openvino-bf16", "openvino-int8"]
