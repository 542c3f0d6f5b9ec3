"""What ``import mmseam`` sets up in a process."""
import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(('given', 'expected'), [(None, '8192'), ('16', '16')])
def test_onednn_keeps_more_kernels_unless_the_environment_says_otherwise(given, expected):
    environment = {name: value for name, value in os.environ.items() if name != 'ONEDNN_PRIMITIVE_CACHE_CAPACITY'}
    if given:
        environment['ONEDNN_PRIMITIVE_CACHE_CAPACITY'] = given
    code = 'import os, mmseam; print(os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"])'
    done = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == expected, done.stderr
