"""Times the stages of a prediction."""
import time
from typing import Callable, Dict, TypeVar

import torch

Result = TypeVar('Result')


class StopWatch:
    """Times calls; work that a CUDA device has taken over is waited for.

    Args:
        device (torch.device): Where the calls work.

    Attributes:
        milliseconds (Dict[str, float]): Of each stage, the last call.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.milliseconds: Dict[str, float] = {}

    def __call__(self, stage: str, function: Callable[[], Result]) -> Result:
        """Call a function without arguments and keep its time as that of a stage; returns what it returned."""
        self._wait()
        start = time.perf_counter()
        result = function()
        self._wait()
        self.milliseconds[stage] = 1000 * (time.perf_counter() - start)
        return result

    def _wait(self) -> None:
        if self.device.type == 'cuda':
            torch.cuda.synchronize(self.device)
