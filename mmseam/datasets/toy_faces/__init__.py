"""Toy dataset: drawn faces with known occlusion, in the layout of WIDER FACE."""
from .generate import make_toy_faces
from .scene import render_scene

__all__ = ['make_toy_faces', 'render_scene']
