"""What the host packages write is complete or not there."""
import os

import mmcv
import mmengine
import numpy as np
import pytest
from full_disk import small_files
from mmengine.evaluator import DumpResults

from mmseam.utils.atomic_write import WriteError


def dump_results(path: str) -> None:
    metric = DumpResults(path)
    metric.process({}, [dict(boxes=list(range(9999)))])
    metric.compute_metrics(metric.results)


@pytest.mark.parametrize('name,write', [
    ('a.json', lambda path: mmengine.dump(list(range(9999)), path)),
    ('a.pkl', dump_results),
    ('a.png', lambda path: mmcv.imwrite(np.random.default_rng(0).integers(0, 255, (99, 99, 3), dtype=np.uint8), path)),
])
def test_a_full_disk_is_named_and_the_earlier_file_stays(tmp_path, name, write):
    path = tmp_path / name
    path.write_text('the earlier one')
    with small_files(), pytest.raises(WriteError, match=f'file size limit reached while writing {path}'):
        write(str(path))
    assert os.listdir(tmp_path) == [name] and path.read_text() == 'the earlier one'
    write(str(path))
    assert os.listdir(tmp_path) == [name] and path.stat().st_size > 10_000
