"""Check the types and arguments of a config against the classes that they name, before anything is built."""
import inspect
from typing import Any, FrozenSet, Iterator, List, Mapping, Optional, Sequence, Tuple

from mmengine.config import Config
from mmengine.registry import DefaultScope, Registry

from mmseam import registry as registries
from mmseam.utils.config_keys import closest

_DATA = (registries.DATASETS, registries.TRANSFORMS, registries.DATA_SAMPLERS, registries.FUNCTIONS,
         registries.TASK_UTILS)
_MODEL = (registries.MODELS, registries.TASK_UTILS)
#: Registries in which the types of each part of a config are looked up.
_SECTIONS = dict(
    model=_MODEL, tta_model=_MODEL, train_dataloader=_DATA, val_dataloader=_DATA, test_dataloader=_DATA,
    val_evaluator=(registries.METRICS, ), test_evaluator=(registries.METRICS, ),
    optim_wrapper=(registries.OPTIM_WRAPPERS, registries.OPTIMIZERS),
    param_scheduler=(registries.PARAM_SCHEDULERS, ), default_hooks=(registries.HOOKS, ),
    custom_hooks=(registries.HOOKS, ), train_cfg=(registries.LOOPS, ), val_cfg=(registries.LOOPS, ),
    test_cfg=(registries.LOOPS, ))
# What the builders take out of a dict before the class gets it
_OF_BUILDERS = frozenset(('type', '_scope_', '_delete_', 'priority', 'init_cfg', 'convert_to_iter_based'))
_OF_SECTIONS = dict(optim_wrapper=frozenset(
    ('constructor', 'paramwise_cfg', 'batch_size_per_gpu', 'base_total_batch_size')))
# Dicts whose types are not names in a registry, or whose builders take more keys
_SKIPPED = ('nms', 'init_cfg', 'norm_cfg', 'act_cfg', 'conv_cfg', 'upsample_cfg', 'padding_cfg', 'roi_layer',
            'paramwise_cfg')


def check_arguments(cfg: Config) -> Iterator[str]:
    """Yield types that do not exist and arguments that their class does not take; call it in the config's scope.

    Args:
        cfg (Config): The config.

    Yields:
        str: The problem, with the key and the nearest name.
    """
    for section, candidates in _SECTIONS.items():
        extra = _OF_BUILDERS | _OF_SECTIONS.get(section, frozenset())
        for path, settings in _typed_dicts(section, cfg.get(section)):
            yield from _check(path, settings, candidates, extra)


def _typed_dicts(path: str, value: Any) -> Iterator[Tuple[str, Mapping]]:
    """Yield path and content of each dict with a type."""
    if isinstance(value, Mapping):
        if 'type' in value:
            yield path, value
        is_foreign = str(value.get('type')).endswith('Albu')  # names of albumentations
        for key, item in value.items():
            if key not in _SKIPPED and not (is_foreign and key == 'transforms'):
                yield from _typed_dicts(f'{path}.{key}', item)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _typed_dicts(f'{path}.{index}', item)


def _check(path: str, settings: Mapping, candidates: Sequence[Registry], extra: FrozenSet[str]) -> Iterator[str]:
    classes = _find_classes(settings, candidates)
    if not classes:
        yield from _unknown_type(path, settings['type'], candidates)
        return
    accepted = [_arguments(kind) for kind in classes]
    known = frozenset().union(extra, *(names for names, _ in accepted))
    is_open = any(is_open for _, is_open in accepted)
    for key in settings:
        if key not in known:
            near = closest(key, known - extra)
            if near or not is_open:
                hint = f'did you mean {near!r}?' if near else f'it takes {", ".join(sorted(known - extra)) or "none"}'
                yield f'{path}.{key}: {_name(settings["type"])} has no argument {key!r}; {hint}'


def _find_classes(settings: Mapping, candidates: Sequence[Registry]) -> List[Any]:
    """Return the classes and functions of the type; more than one if several registries have the name."""
    kind = settings['type']
    if not isinstance(kind, str):
        return [kind]
    scope = settings.get('_scope_') or DefaultScope.get_current_instance().scope_name
    found = []
    for candidate in candidates:
        try:
            found.append(candidate.root.children.get(scope, candidate).get(kind.removeprefix(f'{scope}.')))
        except (RuntimeError, ImportError):  # MMEngine has tried to import it as a module
            continue
    return [each for each in found if each is not None]


def _unknown_type(path: str, kind: str, candidates: Sequence[Registry]) -> Iterator[str]:
    scope, _, name = kind.rpartition('.')
    if not name[:1].isupper():  # some modules have names of their own for their parts
        return
    near = closest(name, [known for candidate in candidates for known in _names_of(candidate, scope)], 0.6)
    if near:  # else it may be a name of a package that MMDetection wraps, as in `timm.models`
        suggested = f'{scope}.{near}' if scope else near
        yield f'{path}.type is {kind!r}, which does not exist; did you mean {suggested!r}?'


def _names_of(candidate: Registry, scope: str) -> Iterator[str]:
    nodes = [candidate.root, *candidate.root.children.values()]
    for node in nodes:
        if not scope or node.scope == scope:
            yield from node.module_dict


def _arguments(kind: Any) -> Tuple[FrozenSet[str], bool]:
    """Return the names of the arguments, and whether there may be others that the signature does not tell."""
    parameters = _parameters(kind)
    if parameters is None:
        return frozenset(), True
    names = {name for name, parameter in parameters.items() if parameter.kind is not parameter.VAR_KEYWORD}
    is_open = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    if is_open and inspect.isclass(kind):  # usually they go on to the base classes
        for base in kind.__mro__[1:-1]:
            names |= set(_parameters(base) or ())
    return frozenset(names), is_open


def _parameters(kind: Any) -> Optional[Mapping[str, inspect.Parameter]]:
    try:
        return inspect.signature(kind).parameters
    except (TypeError, ValueError):  # compiled
        return None


def _name(kind: Any) -> str:
    return kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))
