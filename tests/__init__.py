"""Nothing in the tests may call home: ONNX Runtime does so already when it is imported."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
