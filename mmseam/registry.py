"""Registries of mmseam, children of mmyolo's.

Only this arrangement lets a config inherited by ``_base_ = 'mmseam::…'`` build: MMEngine stamps
``_scope_='mmseam'`` on every outermost dict of such a config, and a registry looks for a name in itself, then in
its ancestors. Below mmyolo's registries, ``YOLODetector`` is found under our scope; below the root it would not be.

They are children of MMEngine's root registries, too: from mmdet's scope, MMEngine looks for the scope of
``mmseam.MultiSEAM`` there only.
"""
import mmengine.registry as root
import mmyolo.registry as host
from mmengine.registry import Registry


def _child(parent: Registry, location: str, *more: str) -> Registry:
    # A lookup that climbs to the parent does not import the parent's modules, so they are named here as well.
    return _reachable_child(parent, f'mmyolo.{location}', f'mmseam.{location}', *more)


def _reachable_child(parent: Registry, *locations: str) -> Registry:
    registry = Registry(parent.name, parent=parent, scope='mmseam', locations=list(locations))
    registry.root._add_child(registry)
    return registry


def _child_of_root(parent: Registry, location: str) -> Registry:
    return Registry(parent.name, parent=parent, scope='mmseam', locations=[location])


RUNNERS = _child(host.RUNNERS, 'engine')
RUNNER_CONSTRUCTORS = _child(host.RUNNER_CONSTRUCTORS, 'engine')
LOOPS = _child(host.LOOPS, 'engine')
HOOKS = _child(host.HOOKS, 'engine')
OPTIMIZERS = _child(host.OPTIMIZERS, 'engine')
OPTIM_WRAPPERS = _child(host.OPTIM_WRAPPERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(host.OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
PARAM_SCHEDULERS = _child(host.PARAM_SCHEDULERS, 'engine')

DATASETS = _child(host.DATASETS, 'datasets')
DATA_SAMPLERS = _child(host.DATA_SAMPLERS, 'datasets')
TRANSFORMS = _child(host.TRANSFORMS, 'datasets')

MODELS = _child(host.MODELS, 'models', 'mmseam.inference.exported_detector')
MODEL_WRAPPERS = _child(host.MODEL_WRAPPERS, 'models')
WEIGHT_INITIALIZERS = _child(host.WEIGHT_INITIALIZERS, 'models')
TASK_UTILS = _child(host.TASK_UTILS, 'models')

# mmyolo has no evaluation and no visualization package.
METRICS = _reachable_child(host.METRICS, 'mmdet.evaluation', 'mmseam.evaluation')
VISUALIZERS = _reachable_child(host.VISUALIZERS, 'mmdet.visualization')
VISBACKENDS = _reachable_child(host.VISBACKENDS, 'mmdet.visualization')

# mmyolo has no node for these; they hang below MMEngine's root.
FUNCTIONS = _child_of_root(root.FUNCTIONS, 'mmseam.datasets')
EVALUATOR = _child_of_root(root.EVALUATOR, 'mmseam.evaluation')
LOG_PROCESSORS = _child_of_root(root.LOG_PROCESSORS, 'mmseam.engine')
# MMEngine looks for one in the default scope, and warns if there is none.
Registry(root.LOG_PROCESSORS.name, parent=root.LOG_PROCESSORS, scope='mmyolo', locations=[])
INFERENCERS = _child_of_root(root.INFERENCERS, 'mmseam.inference')
