"""Write trained detectors to files that run without this repository, verify them, and quantize them.

onnx, onnxruntime and OpenVINO are imported only when they are used.
"""
