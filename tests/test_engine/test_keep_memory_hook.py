"""Memory that a training on a CPU keeps."""
import subprocess
import sys
from types import SimpleNamespace

import pytest
from torch import nn

from mmseam.engine.hooks import KeepMemoryHook, keep_memory_hook

# Counts the pages that forty blocks of 30 MB need, one after the other, after a first one.
PAGES = """
import resource, sys
import numpy as np
from mmseam.engine.hooks.keep_memory_hook import keep_freed_memory

if sys.argv[1] == 'keep':
    assert keep_freed_memory()
np.ones(30 * 2**20, np.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(40):
    np.ones(30 * 2**20, np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='needs glibc')
def test_freed_memory_is_used_again():
    import ctypes
    if not hasattr(ctypes.CDLL(None), 'gnu_get_libc_version'):
        pytest.skip('needs glibc')
    pages = {how: int(subprocess.run([sys.executable, '-c', PAGES, how], stdout=subprocess.PIPE, check=True).stdout)
             for how in ('keep', 'give back')}
    assert pages['keep'] < 100 < pages['give back']


@pytest.mark.parametrize(('device', 'expected'), [('cpu', 1), ('meta', 0)])
def test_only_for_networks_on_a_cpu(monkeypatch, device, expected):
    calls = []
    monkeypatch.setattr(keep_memory_hook, 'keep_freed_memory', lambda: calls.append(1))
    KeepMemoryHook().before_run(SimpleNamespace(model=nn.Linear(2, 2, device=device)))
    assert len(calls) == expected
