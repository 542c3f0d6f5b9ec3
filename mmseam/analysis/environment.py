"""Describe the installation: versions, devices, operators and folders, and how to fix what is wrong."""
import importlib
import platform
import shutil
from importlib import metadata
from pathlib import Path
from typing import Iterator, List, NamedTuple

from mmseam.compat.host_versions import HostVersionError, check_host_versions, distribution_of
from mmseam.utils.resources import resource_folder
from mmseam.version import __version__

_HOSTS = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmcv-lite', 'mmdet', 'onedl-mmengine', 'onedl-mmcv',
          'onedl-mmdetection', 'mmyolo', 'openmim', 'setuptools', 'numpy', 'opencv-python')
_EXPORT = ('onnx', 'onnxruntime', 'onnxscript', 'openvino')
_FOLDERS = ('configs', 'tools')


class Environment(NamedTuple):
    """Installation that mmseam runs in.

    Args:
        facts (list[tuple[str, str]]): Name and value of each fact.
        problems (list[str]): Problems, each with the command that fixes it.
    """
    facts: List[tuple]
    problems: List[str]


def describe_environment() -> Environment:
    """Collect the facts and problems of the installation; runs with broken host packages, too.

    Returns:
        Environment: Facts and problems.
    """
    problems = [*_host_problems(), *_folder_problems()]
    facts = [('mmseam', f'{__version__} in {Path(__file__).resolve().parents[1]}'),
             ('Python', f'{platform.python_version()}, {platform.system()} {platform.machine()}')]
    facts += [(name, version) for name, version in map(_package, _HOSTS) if version]
    if problems:  # the host packages cannot be imported
        facts.append(('NMS', 'unknown until the problems are fixed'))
    else:
        facts += [('device', _device()), ('NMS', _nms())]
        problems += _device_problems()
    facts.append(('export', ', '.join(_export_packages())))
    facts += [(name, str(resource_folder(name))) for name in _FOLDERS]
    return Environment(facts, problems)


def _package(name: str) -> tuple:
    try:
        return name, metadata.version(name)
    except metadata.PackageNotFoundError:
        return name, ''


def _host_problems() -> Iterator[str]:
    try:
        check_host_versions()
        for name in ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmyolo'):
            importlib.import_module(name)
    except HostVersionError as error:
        yield str(error)
    except Exception as error:  # noqa: BLE001  (a broken package raises anything)
        yield (f'`import {name}` fails: {type(error).__name__}: {error}; install it again: python -m pip install '
               f'--force-reinstall --no-deps {distribution_of(name)}')


def _folder_problems() -> Iterator[str]:
    for folder in map(resource_folder, _FOLDERS):
        if not folder.is_dir():
            yield (f'there is no folder {folder}; install mmseam again: python -m pip install --force-reinstall '
                   '--no-deps mmseam, or in a clone: python -m pip install -e .')


def _device() -> str:
    import torch  # not at the top: the report must also work if it cannot be imported
    threads = f'CPU, {torch.get_num_threads()} threads'
    if not torch.cuda.is_available():
        build = f'for CUDA {torch.version.cuda}' if torch.version.cuda else 'for CPUs'
        return f'{threads}; PyTorch is built {build}'
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return f'CUDA {torch.version.cuda}: {", ".join(names)}; {threads}'


def _device_problems() -> Iterator[str]:
    import torch  # see _device
    if torch.cuda.is_available() or not shutil.which('nvidia-smi'):
        return
    reason = (f'is built for CUDA {torch.version.cuda}, which the driver may not support' if torch.version.cuda else
              'is built for CPUs')
    yield (f'there is an NVIDIA driver, but PyTorch {torch.__version__} sees no device: it {reason}; see the versions '
           'with nvidia-smi, and install the build for that CUDA with the command of https://pytorch.org/get-started')


def _nms() -> str:
    extension = importlib.import_module('mmcv._ext')
    if 'mmseam' not in str(extension.__file__):
        return f'compiled mmcv ({extension.__file__})'
    from mmseam.compat.mmcv_ops.torchvision_ops import torchvision_ops  # imports PyTorch, see _device
    return 'torchvision' if torchvision_ops('cpu') else 'NumPy, because torchvision is missing or does not load'


def _export_packages() -> Iterator[str]:
    found = dict(map(_package, _EXPORT))
    yield from (f'{name} {version}' for name, version in found.items() if version)
    if not all(found.values()):
        yield 'for the others: python -m pip install "mmseam[deploy]"'
