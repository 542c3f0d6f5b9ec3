"""Toy data set: drawn faces of which it is known how much is covered, in the layout of WIDER FACE."""
from .generate import make_toy_faces
from .scene import render_scene

__all__ = ['make_toy_faces', 'render_scene']
