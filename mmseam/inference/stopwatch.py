"""Time the stages of a prediction."""
import time
from typing import Callable, Dict, TypeVar

import torch

Result = TypeVar('Result')


class StopWatch:
    """Timer of function calls that synchronizes CUDA devices.

    Args:
        device (torch.device): Device that the calls run on.

    Attributes:
        milliseconds (Dict[str, float]): Duration of the last call of each stage.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.milliseconds: Dict[str, float] = {}

    def __call__(self, stage: str, function: Callable[[], Result]) -> Result:
        """Call a function without arguments, record its duration as a stage, and return its result."""
        self._wait()
        start = time.perf_counter()
        result = function()
        self._wait()
        self.milliseconds[stage] = 1000 * (time.perf_counter() - start)
        return result

    def _wait(self) -> None:
        if self.device.type == 'cuda':
            torch.cuda.synchronize(self.device)
