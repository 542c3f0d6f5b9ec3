"""Small helpers that belong to no other room."""
from .setup_env import register_all_modules

__all__ = ['register_all_modules']
