"""model-index.yml, the metafiles and the READMEs of the families: what MIM and mmengine.hub read, and people."""
import re

import pytest
from config_files import CONFIGS, FAMILIES, LEAVES, ROOT, metadata_of, size_of
from mmengine.fileio import load

from mmseam.utils.config import load_config

every_config = pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
every_family = pytest.mark.parametrize('folder', FAMILIES, ids=lambda path: path.name)


def test_model_index_imports_every_family():
    """One missing file here and all inheritance from `mmseam::` dies."""
    expected = {(folder / 'metafile.yml').relative_to(ROOT).as_posix() for folder in FAMILIES}
    assert set(load(ROOT / 'model-index.yml')['Import']) == expected
    assert all((ROOT / path).is_file() for path in expected)


@every_family
def test_metafile_names_all_configs_of_its_folder_and_no_other(folder):
    metafile = load(folder / 'metafile.yml')
    assert sorted(m['Name'] for m in metafile['Models']) == [p.stem for p in LEAVES if p.parent == folder]
    collections = {c['Name'] for c in metafile['Collections']}
    assert {m['In Collection'] for m in metafile['Models']} == collections
    for collection in metafile['Collections']:
        assert collection['README'] == (folder / 'README.md').relative_to(ROOT).as_posix()


def test_collections_have_names_of_their_own():
    names = [c['Name'] for folder in FAMILIES for c in load(folder / 'metafile.yml')['Collections']]
    assert len(set(names)) == len(names)


@every_config
def test_entry_agrees_with_the_config(path):
    entry, cfg = metadata_of(path), load_config(path)
    assert entry['Config'] == path.relative_to(ROOT).as_posix()
    metadata = entry['Metadata']
    assert metadata['Epochs'] == cfg.train_cfg.max_epochs
    assert metadata['Batch Size'] == cfg.auto_scale_lr.base_batch_size
    data = {'COCO': 'coco', 'WIDER FACE': 'widerface', 'toy faces': 'toyfaces', 'custom COCO json': 'custom-coco',
            'custom faces': 'custom-faces', 'photographs': 'faces'}[metadata['Training Data']]
    assert path.stem.endswith(f'_{data}')


@every_config
def test_entry_suits_mim(path):
    """`mim search` wants plain values, and weights without results, or results without weights, cannot be judged."""
    entry = metadata_of(path)
    assert ('Weights' in entry) == ('Results' in entry)
    for key, value in entry['Metadata'].items():
        assert isinstance(value, (str, int)), key


@every_config
def test_readme_has_a_row_with_the_figures(path):
    readme = (path.parent / 'README.md').read_text(encoding='utf-8')
    rows = [line for line in readme.splitlines() if f'(./{path.name})' in line]
    assert len(rows) == 1
    cells = [cell.strip() for cell in rows[0].strip('|').split('|')]
    metadata = metadata_of(path)['Metadata']
    assert cells[0] == size_of(path)
    assert {f"{metadata['Parameters'] / 1e6:.2f}", f"{metadata['FLOPs'] / 1e9:.1f}"} <= set(cells)


@every_config
def test_readme_row_has_the_results_of_the_metafile(path):
    """A row holds what the metafile holds, or says that nothing was measured."""
    readme = (path.parent / 'README.md').read_text(encoding='utf-8')
    row = next(line for line in readme.splitlines() if f'(./{path.name})' in line)
    results = metadata_of(path).get('Results')
    assert ('not trained yet' in row or 'not measured' in row) == (results is None)
    for result in results or ():
        assert all(str(value) in row for value in result['Metrics'].values())


@every_family
def test_untrained_rows_say_which_command_would_fill_them(folder):
    readme = (folder / 'README.md').read_text(encoding='utf-8')
    assert 'not trained yet' not in readme or '`mmseam train NAME`' in readme


@every_family
def test_links_of_the_readme_lead_somewhere(folder):
    readme = (folder / 'README.md').read_text(encoding='utf-8')
    for link in re.findall(r'\]\((?!https?:)([^)#]+)', readme):
        assert (folder / link).resolve().exists(), link
    for command in re.findall(r'python (tools/\S+\.py)', readme):
        assert (ROOT / command).is_file(), command
    for config in re.findall(r'configs/\S+\.py', readme):
        assert (ROOT / config).is_file(), config
    for config in re.findall(r'mmseam::(\S+\.py)', readme):
        assert (CONFIGS / config).is_file(), config
    for config in re.findall(r'mim \w+ mmseam (\S+\.py)', readme):
        assert (folder / config).is_file(), config
