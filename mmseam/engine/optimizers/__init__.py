"""Optimizer wrappers and the choice of an optimizer."""
from .accumulating_optim_wrapper import AccumulatingAmpOptimWrapper, AccumulatingOptimWrapper, is_accumulating
from .automatic_optimizer import automatic_optimizer

__all__ = ['AccumulatingAmpOptimWrapper', 'AccumulatingOptimWrapper', 'automatic_optimizer', 'is_accumulating']
