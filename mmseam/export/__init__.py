"""Write trained detectors to files that run without this repository, verify them, and quantize them.

The modules import onnx, onnxruntime and OpenVINO only when they are used.
"""
