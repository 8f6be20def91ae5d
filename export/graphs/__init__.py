"""What `export.to_onnx` is made of: one step on the way of a graph in each file."""
