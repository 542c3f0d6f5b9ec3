"""What a study consists of: data, variants, starting weights and occlusion conditions."""
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple


@dataclass(frozen=True)
class ImageSet:
    """Images with COCO annotations.

    Args:
        annotations (Path): COCO JSON file, or annotation file of WIDER FACE (``wider_face_*_bbx_gt.txt``), of which
            missing images are skipped.
        images (Path): Folder of its images.
    """

    annotations: Path
    images: Path


@dataclass(frozen=True)
class EvaluationSet(ImageSet):
    """Images to evaluate on.

    Args:
        slices (dict): Parts of the ground truth by name: conditions by the name of an annotation's key, each a value,
            a list of values, or for ``height`` and ``width`` a pair of limits in pixels (lower included, upper not;
            null for none). All other ground truths are ignored.
        occlusion (bool): Whether to measure occlusion curves. Defaults to False.
        image_size (int): Side of the network's input on these images, a multiple of 32. Defaults to 0: that of the
            training.
        ground_truth (Path, optional): Folder of WIDER FACE's ``wider_*_val.mat`` files, for AP on easy, medium and hard
            by the official protocol. Defaults to None.
    """

    slices: Dict[str, Dict[str, Any]] = field(default_factory=dict)
    occlusion: bool = False
    image_size: int = 0
    ground_truth: Optional[Path] = None


@dataclass(frozen=True)
class Variant:
    """A config to train.

    Args:
        config (str, optional): Config instead of the study's. Defaults to None.
        cfg_options (dict): Overrides by dotted key. Defaults to none.
        label (str): Name in tables and plots. Defaults to the variant's name.
        controls (list): Variants that lack what this one tests; it is compared with them as well as with the baseline.
            Defaults to none.
    """

    config: Optional[str] = None
    cfg_options: Dict[str, Any] = field(default_factory=dict)
    label: str = ''
    controls: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class Start:
    """Weights that all variants start from.

    Args:
        weights (Path): Checkpoint of mmseam (``.pth``) or YOLO11 weights of Ultralytics (``.pt``).
        parts (list): Parts of the detector that are loaded. Defaults to backbone and neck.
    """

    weights: Path
    parts: List[str] = field(default_factory=lambda: ['backbone', 'neck'])


@dataclass(frozen=True)
class Occlusion:
    """Conditions of the occlusion curves; see :mod:`mmseam.analysis.occlusion_curves`.

    Args:
        kinds (list): Kinds of occluder.
        fractions (list): Covered fractions of the boxes.
        seed (int): Seed of the occluders. Defaults to 0.
    """

    kinds: List[str]
    fractions: List[float]
    seed: int = 0


@dataclass(frozen=True)
class Study:
    """A study: variants × seeds on the same data.

    Args:
        file (Path): The study file.
        title (str): Title of the report.
        config (str): Config file, relative to the study file, or name of a config of mmseam.
        classes (list): Class names.
        train (list): Training sets, which are pooled.
        evaluate (dict): Evaluation sets by name; the first one is the main one.
        variants (dict): Variants by name.
        baseline (str): Variant that the others are compared with.
        seeds (list): Seeds.
        epochs (int): Epochs.
        image_size (int): Side of the network's input in pixels, a multiple of 32.
        batch_size (int): Images per iteration. Defaults to 16.
        cfg_options (dict): Overrides for all variants. Defaults to none.
        start (Start, optional): Weights to start from. Defaults to None: random.
        occlusion (Occlusion, optional): Conditions of the occlusion curves. Defaults to None.
        modules (list): Python files, relative to the study file, that register layers of your own. They are
            programs and are run. Defaults to none.
        notes (str): Text for the report. Defaults to none.
    """

    file: Path
    title: str
    config: str
    classes: List[str]
    train: List[ImageSet]
    evaluate: Dict[str, EvaluationSet]
    variants: Dict[str, Variant]
    baseline: str
    seeds: List[int]
    epochs: int
    image_size: int
    batch_size: int = 16
    cfg_options: Dict[str, Any] = field(default_factory=dict)
    start: Optional[Start] = None
    occlusion: Optional[Occlusion] = None
    modules: List[str] = field(default_factory=list)
    notes: str = ''

    @property
    def runs(self) -> List[Tuple[str, int]]:
        """list[tuple[str, int]]: Variant and seed of each run; the first seed of all variants comes first."""
        return [(variant, seed) for seed in self.seeds for variant in self.variants]

    def label(self, variant: str) -> str:
        """Return the name of a variant in tables and plots."""
        return self.variants[variant].label or variant
