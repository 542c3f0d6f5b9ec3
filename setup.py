"""Package mmseam so that MIM and MMEngine find its configs and tools.

Both look for `mmseam/.mim/{configs,tools,model-index.yml}`: in a wheel these are copies, in an editable install links.
"""
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel

ROOT = Path(__file__).resolve().parent
MIM_RESOURCES = ('configs', 'tools', 'model-index.yml')


def read_version() -> str:
    """Read the version without importing the package."""
    text = (ROOT / 'mmseam' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"__version__ = '([^']+)'", text).group(1)


def read_requirements(name: str) -> list:
    """Read the requirements from a file, without comments."""
    lines = (line.split('#')[0].strip() for line in (ROOT / name).read_text(encoding='utf-8').splitlines())
    return [line for line in lines if line]


def empty_folder(folder: Path) -> None:
    """Empty a folder; links in it are removed, not followed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


class BuildWithMim(build_py):
    """Copy the resources into a wheel."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        folder = Path(self.build_lib, 'mmseam', '.mim')
        empty_folder(folder)
        for name in MIM_RESOURCES:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns('__pycache__'))
            else:
                shutil.copyfile(ROOT / name, folder / name)


class EditableWithMim(editable_wheel):
    """Link the resources into the source tree and record its path for MIM."""

    def run(self) -> None:
        folder = ROOT / 'mmseam' / '.mim'
        empty_folder(folder)
        for name in MIM_RESOURCES:
            (folder / name).symlink_to(Path('..', '..', name))
        super().run()

    def _ensure_dist_info(self) -> None:
        super()._ensure_dist_info()
        # MIM and MMEngine join the site-packages folder with this name; an absolute path wins over the join.
        Path(self.dist_info_dir, 'top_level.txt').write_text(f'{ROOT / "mmseam"}\n', encoding='utf-8')


if __name__ == '__main__':
    setup(
        name='mmseam',
        version=read_version(),
        description='Occlusion attention (SEAM, MultiSEAM) and YOLO11 for MMDetection and MMYOLO',
        long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
        long_description_content_type='text/markdown',
        author='The mmseam authors',
        license='GPL-3.0-or-later',
        url='https://github.com/mmseam/mmseam',
        keywords='object detection, face detection, occlusion, attention, YOLO11, WIDER FACE, OpenMMLab',
        packages=find_packages(include=['mmseam', 'mmseam.*']),
        package_data={'mmseam': ['py.typed']},
        entry_points=dict(console_scripts=['mmseam = mmseam.cli:main']),
        python_requires='>=3.10',
        install_requires=read_requirements('requirements.txt'),
        extras_require=dict(
            deploy=['onnx>=1.16', 'onnxruntime>=1.18', 'onnxscript>=0.2', 'openvino>=2024.3'],
            study=['submitit>=1.5'],
            cam=['grad-cam>=1.5', 'torchvision'],
            docs=['mkdocs-material>=9.5', 'mkdocstrings[python]>=1.0'],
            tests=['pytest', 'pytest-cov', 'pytest-xdist', 'hypothesis', 'submitit>=1.5'],
            lint=['ruff', 'codespell', 'import-linter', 'mypy', 'pre-commit']),
        zip_safe=False,
        cmdclass=dict(build_py=BuildWithMim, editable_wheel=EditableWithMim),
        classifiers=[
            'Intended Audience :: Science/Research',
            'License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)',
            *(f'Programming Language :: Python :: 3.{minor}' for minor in (10, 11, 12, 13)),
            'Topic :: Scientific/Engineering :: Artificial Intelligence',
        ])
