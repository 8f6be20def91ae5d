"""`python -m bench gpu`: what a GPU gives, beside torch and ONNX Runtime on the same one. `python3 -m bench.gpu` makes
the environments first, from a folder of wheels, on a machine without a network.
"""
