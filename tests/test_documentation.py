"""What READMEs and docs say of the code: numbers, files, modules and imports."""
import ast
import importlib
import re

import pytest
import torch
from config_files import FAMILIES, LEAVES, ROOT, build_model, count_parameters, size_of
from mmengine.config import Config

from mmseam.export.verification import SCORE_TOLERANCE
from mmseam.models import SEAM, MultiSEAM
from mmseam.utils.config import find_config

DOCUMENTS = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md'), *(folder / 'README.md' for folder in FAMILIES)])
every_document = pytest.mark.parametrize('path', DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
every_family = pytest.mark.parametrize('folder', FAMILIES, ids=lambda path: path.name)

#: Numbers in the READMEs of the families that are no property of this code: other people's results, and names.
EXTERNAL = [
    'published by Ultralytics in 2024', 'count 2 per multiply-accumulate', 'between 1 and e', 'the range 1 to e',
    'YOLOv8', 'YOLO-FaceV2', 'YOLO11', 'C3k2', 'C2f', 'a C3 with', 'C2PSA',
    'declare it CC0', 'GPL-3.0-or-later',
    'a COCO AP of 39.5 (n), 47.0 (s), 51.5 (m), 53.4 (l) and 54.7 (x) at 640 pixels',
]


#: Packages without names for users. The names of all others are documented.
INTERNAL = {'compat', 'mmcv_ops', 'mmseam', 'utils', 'exporters'}
PUBLIC = [path.parent for path in sorted((ROOT / 'mmseam').rglob('__init__.py'))
          if '.mim' not in path.parts and path.parent.name not in INTERNAL
          and '__all__ = ' in path.read_text(encoding='utf-8')]


def plain(path) -> str:
    """Prose of a document: without code blocks, tables and links' targets, on one line."""
    text = re.sub(r'```.*?```', '', path.read_text(encoding='utf-8'), flags=re.S)
    lines = [line for line in text.splitlines() if not line.startswith('|')]
    return re.sub(r'\s+', ' ', re.sub(r'\]\([^)]*\)', ']', ' '.join(lines)))


def read(name: str) -> Config:
    return Config.fromfile(find_config(name))


def square(scale) -> str:
    return '×'.join(map(str, scale))


def facts() -> dict:
    """Sentences by document, with the numbers of the code in them."""
    wide, coco = read('yolo11_n_syncbn_fast_8xb16-250e_widerface'), read('yolo11_n_syncbn_fast_8xb16-500e_coco')
    p2 = read('yolo11_n_p2_syncbn_fast_8xb16-250e_widerface')
    toy = read('yolo11_n_multiseam_fast_1xb8-8e_toyfaces')
    lite = read('yolo11_n_multiseam-lite_syncbn_fast_8xb16-500e_coco').model.bbox_head.head_module.attention_cfg
    first, second, third = (body.patch_size for body in MultiSEAM(16).bodies)
    dense, depthwise = (sum(body.patch_embed.conv.weight.numel() for body in MultiSEAM(64, patch_groups=groups).bodies)
                        for groups in (1, lite.patch_groups))
    gain = (SEAM(64)(torch.ones(4, 64, 9, 9))).mean().item()
    at_640 = f'linear layers at {square(wide.img_scale)}'
    resized = f'instead of {wide.img_scale[0]} pixels'
    return {
        'configs/yolo11/README.md': [
            at_640, resized, f"schedule is MMYOLO's {coco.train_cfg.max_epochs} epochs for COCO, and "
            f'{wide.train_cfg.max_epochs} epochs for WIDER FACE',
            f'With P2, a level of stride {p2.strides[0]} for faces'],
        'configs/seam/README.md': [
            at_640, resized, 'one dense 3×3 convolution'],
        'configs/multiseam/README.md': [
            at_640, resized, f'{first}×{first}, {second}×{second} and {third}×{third} pixels',
            f'dense {third}×{third} embeddings', 'one dense 3×3 convolution',
            f'Drawn faces at {square(toy.img_scale)}', f'GFLOPs here, too, are at {square(wide.img_scale)}'],
        'configs/multiseam_lite/README.md': [
            at_640, f"at 64 channels they have a {dense // depthwise}th of the dense ones' weights",
            f'instead of a mean gain of {gain:.2f}', 'from e^-0.5 to e^0.5'],
        'configs/faces/README.md': [f'GFLOPs are at {square(wide.img_scale)}'],
        'README.md': [
            f'add the {coco.model.bbox_head.head_module.reg_max} fixed weights of the box decoding'],
        'docs/deployment.md': [f'(to 0.5 pixels and {SCORE_TOLERANCE} in score)'],
        'docs/training.md': [
            f'faces of at least {wide.min_bbox_size} pixels',
            f'score threshold {wide.model.test_cfg.score_thr}, NMS at {wide.model.test_cfg.nms.iou_threshold}, up to '
            f'{wide.model.test_cfg.max_per_img} boxes per image',
            f'{wide.model.train_cfg.assigner.topk} positive points per face',
            f'{coco.model.train_cfg.assigner.topk} points, 2 pixels, {coco.model.test_cfg.score_thr}, '
            f'{coco.model.test_cfg.nms.iou_threshold}, {coco.model.test_cfg.max_per_img}'],
        'docs/wider_face_protocol.md': [
            f'`score_thr={wide.model.test_cfg.score_thr}`, `max_per_img={wide.model.test_cfg.max_per_img}`'],
    }


FACTS = facts()


@pytest.mark.parametrize('document', FACTS)
def test_numbers_are_those_of_the_code(document):
    prose = plain(ROOT / document)
    assert [fact for fact in FACTS[document] if fact not in prose] == []


@every_family
def test_every_number_of_a_family_is_checked(folder):
    """A number that stands in none of the checked sentences is either wrong one day or belongs to ``EXTERNAL``."""
    name = (folder / 'README.md').relative_to(ROOT).as_posix()
    prose = re.sub(r'`[^`]*`', '', plain(folder / 'README.md'))
    for sentence in [*FACTS[name], *EXTERNAL]:
        prose = prose.replace(re.sub(r'`[^`]*`', '', sentence), '')
    assert re.findall(r'[\w.×^]*\d[\w.×^]*', prose) == []


def test_parameters_in_the_main_table():
    rows = re.findall(r'^\| \[(\w+)\].*?\| ([\d,]+) \|', (ROOT / 'README.md').read_text(encoding='utf-8'), flags=re.M)
    assert [name for name, _ in rows] == ['yolo11', 'seam', 'multiseam', 'multiseam_lite']
    for name, number in rows:
        config = next(path for path in LEAVES if path.parent.name == name and size_of(path) == 'n'
                      and re.search(r'_n(_[a-z]*seam(-lite)?)?_syncbn.*_coco', path.stem))
        assert f'{count_parameters(build_model(Config.fromfile(config), "meta")):,}' == number


@every_document
def test_imports_in_code_blocks_work(path):
    for block in re.findall(r'```python\n(.*?)```', path.read_text(encoding='utf-8'), flags=re.S):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                exec(f'from {node.module} import {", ".join(name.name for name in node.names)}', {})


@every_document
def test_links_files_and_modules_are_there(path):
    text = path.read_text(encoding='utf-8')
    for link in re.findall(r'\]\((?!https?:)([^)#]+)', text):
        assert (path.parent / link).resolve().exists(), link
    for file in re.findall(r'(?<![\w/])((?:mmseam|tools|benchmarks|configs)/[\w/.-]+\.(?:py|sh|md|yml))', text):
        assert (ROOT / file).is_file(), file
    for dotted in re.findall(r'`(mmseam(?:\.\w+)+)', text):
        names = dotted.split('.')
        assert any(is_module(ROOT.joinpath(*names[:depth])) for depth in (len(names), len(names) - 1)), dotted


@every_document
def test_anchors_of_links_are_there(path):
    for file, anchor in re.findall(r'\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)', path.read_text(encoding='utf-8')):
        page = (path.parent / file).resolve() if file else path
        assert anchor in anchors(page), f'{file}#{anchor}'


def anchors(page) -> set:
    """Anchors of the headings of a page, as GitHub and MkDocs make them."""
    text = re.sub(r'```.*?```', '', page.read_text(encoding='utf-8'), flags=re.S)
    headings = (re.sub(r'\]\([^)]*\)', '', line) for line in re.findall(r'^#+ (.*)$', text, flags=re.M))
    return {re.sub(r'[-\s]+', '-', re.sub(r'[^\w\s-]', '', heading).strip().lower()) for heading in headings}


def is_module(path) -> bool:
    return path.is_dir() or path.with_suffix('.py').is_file()


def test_public_names_are_on_the_api_pages():
    pages = ''.join(path.read_text(encoding='utf-8') for path in (ROOT / 'docs' / 'api').glob('*.md'))
    shown = [importlib.import_module(name) for name in re.findall(r'^::: (\S+)', pages, flags=re.M)]
    for folder in PUBLIC:
        package = importlib.import_module('.'.join(folder.relative_to(ROOT).parts))
        missing = [name for name in package.__all__ if not any(hasattr(module, name) for module in shown)]
        assert missing == [], package.__name__
