"""How the two starter models were made: data in, trained checkpoint, ONNX in `model_repository/`."""
