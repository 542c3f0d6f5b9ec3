"""Save checkpoints atomically."""
import os.path as osp
from typing import Dict, List

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook as _CheckpointHook
from mmengine.runner import Runner

from mmseam.registry import HOOKS
from mmseam.utils.atomic_write import atomic_write

#: Checkpoint of a training that was stopped by a signal.
INTERRUPTED = 'interrupted.pth'
#: MMEngine's file with the path of the last checkpoint in the work folder.
LAST_CHECKPOINT = 'last_checkpoint'


@HOOKS.register_module()
class CheckpointHook(_CheckpointHook):
    """Save checkpoints like MMEngine's hook, but so that a complete one exists at any moment.

    MMEngine deletes the old checkpoint, then writes the new one under its final name, then ``last_checkpoint``: a
    training killed in between has nothing to resume from. Here each file is written under a temporary name, flushed to
    disk and renamed, and old checkpoints, including the best one, are deleted last. So the disk temporarily contains
    one checkpoint more than ``max_keep_ckpts``.

    The arguments are those of :class:`mmengine.hooks.CheckpointHook`. Storage other than local files uses its
    own backend without temporary names.
    """

    def before_train(self, runner: Runner) -> None:
        """Set up the output folder and the atomic backend.

        Args:
            runner (Runner): The running training.
        """
        super().before_train(runner)
        if self.file_client_args is None and isinstance(self.file_backend, LocalBackend):
            self.backend_args = dict(backend='local', fsync=True)  # mmseam.compat.local_files

    def save_interrupted(self, runner: Runner) -> str:
        """Save the training between two iterations; the next regular checkpoint replaces this one.

        Args:
            runner (Runner): The running training.

        Returns:
            str: The file.
        """
        self._save(runner, INTERRUPTED, dict(epoch=runner.epoch, iter=runner.iter))
        return self.last_ckpt

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        outdated = self._keep(runner, step) if self.max_keep_ckpts > 0 else []
        self._save(runner, self.filename_tmpl.format(step), meta)
        self._remove([*outdated, self.file_backend.join_path(self.out_dir, INTERRUPTED)])

    def _keep(self, runner: Runner, step: int) -> List[str]:
        """Record the checkpoint about to be written; return those to delete afterwards."""
        if step not in self.keep_ckpt_ids:
            steps = [*self.keep_ckpt_ids, step]
            # The new checkpoint still lists the outdated ones: if the training is killed before they are deleted,
            # MMEngine deletes them after resuming.
            runner.message_hub.update_info('keep_ckpt_ids', steps)
            self.keep_ckpt_ids.append(step)
            names = [self.filename_tmpl.format(old) for old in steps[:-self.max_keep_ckpts]]
            return [self.file_backend.join_path(self.out_dir, name) for name in names]
        return []

    def _save(self, runner: Runner, name: str, meta: dict) -> None:
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler and runner.param_schedulers is not None,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args)
        if is_main_process():
            with atomic_write(osp.join(runner.work_dir, LAST_CHECKPOINT), fsync=True) as file:
                file.write(self.last_ckpt)

    def _save_best_checkpoint(self, runner: Runner, metrics: Dict[str, float]) -> None:
        if not self.save_best:
            return
        # MMEngine deletes the previous best checkpoint before writing, so hide it.
        single = len(self.key_indicators) == 1
        before = [self.best_ckpt_path] if single else list(self.best_ckpt_path_dict.values())
        names = self.key_indicators
        self._set_best(dict.fromkeys(names))
        super()._save_best_checkpoint(runner, metrics)
        names = self.key_indicators  # 'auto' has been replaced by a metric name
        after = [self.best_ckpt_path] if single else [self.best_ckpt_path_dict[name] for name in names]
        self._set_best({name: new or old for name, old, new in zip(names, before, after)})
        self._remove([old for old, new in zip(before, after) if old and new and old != new])

    def _set_best(self, paths: Dict[str, str]) -> None:
        if len(paths) == 1:
            self.best_ckpt_path, = paths.values()
        else:
            self.best_ckpt_path_dict = paths

    def _remove(self, paths: List[str]) -> None:
        for path in paths if is_main_process() else ():
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
