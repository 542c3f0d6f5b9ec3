"""The occlusion benchmark with detectors whose results are known."""
import cv2
import numpy as np
import pytest

from mmseam.analysis.occlusion_curves import FRACTIONS, KINDS, occlusion_curves
from mmseam.analysis.occlusion_curves.curve_plots import plot_curves
from mmseam.datasets.occlusion import BoxSample
from mmseam.evaluation.functional.average_precision import average_precision, recall
from mmseam.evaluation.functional.occlusion_scores import OcclusionPoint
from mmseam.inference.results import DetectionResult

SIZE = (80, 120)
BOXES = np.array([[10.5, 8, 42, 48.5], [60, 20, 100, 70], [104, 60, 116, 72]])
IGNORE = np.array([False, False, True])


@pytest.fixture(scope='module')
def samples(tmp_path_factory) -> list:
    """Images of noise with black objects, the last one to be ignored."""
    folder = tmp_path_factory.mktemp('images')
    samples = []
    for index in range(5):
        image = np.random.default_rng(index).integers(100, 200, (*SIZE, 3), dtype=np.uint8)
        boxes = BOXES - index
        for x1, y1, x2, y2 in np.rint(boxes).astype(int):
            image[y1:y2, x1:x2] = 0
        path = folder / f'{index}.png'
        cv2.imwrite(str(path), image)
        samples.append(BoxSample(path, boxes, IGNORE))
    return samples


def result(boxes, scores=None, names=None) -> DetectionResult:
    scores = np.linspace(.9, .5, len(boxes)) if scores is None else scores
    classes = tuple(sorted(set(names or ['face'])))
    labels = np.array([classes.index(name) for name in names or ['face'] * len(boxes)], int)
    return DetectionResult(np.asarray(boxes, np.float32).reshape(-1, 4), np.asarray(scores, np.float32), labels,
                           classes, SIZE, 'image')


class Oracle:
    """Finds every object of which enough is black, and remembers the images it was given."""

    def __init__(self, samples, enough=0.) -> None:
        self.samples = {cv2.imread(str(sample.path)).tobytes(): sample for sample in samples}
        self.enough = enough
        self.seen = []

    def __call__(self, images, score_thr):
        assert score_thr == .01
        sample = self.samples[images[0].tobytes()]
        self.seen += [image.copy() for image in images]
        return [result([box for box in sample.boxes if self.black(image, box) >= self.enough]) for image in images]

    @staticmethod
    def black(image, box) -> float:
        x1, y1, x2, y2 = np.rint(box).astype(int)
        return (image[y1:y2, x1:x2] == 0).all(2).mean()


def test_detector_that_finds_everything(samples):
    curves = occlusion_curves(Oracle(samples), samples)
    assert list(curves) == [(kind, fraction) for kind in KINDS for fraction in FRACTIONS]
    for matches in curves.values():
        assert [match.num_gt for match in matches] == [2] * 5
        assert recall(matches) == pytest.approx(np.ones(10))
        assert average_precision(matches) == pytest.approx(np.ones(10))


@pytest.mark.parametrize('kind', ['lower', 'upper', 'block', 'bars', 'texture'])
def test_detector_that_needs_half_an_object(kind, samples):
    curves = occlusion_curves(Oracle(samples, .5), samples, [kind], (0, .3, .7))
    assert [recall(matches)[0] for matches in curves.values()] == [1, 1, 0]


def test_uncovered_image_is_the_file_and_evaluated_once(samples):
    oracle = Oracle(samples)
    curves = occlusion_curves(oracle, samples, fractions=(0, .5, 0.))
    assert len(oracle.seen) == len(samples) * (1 + len(KINDS))
    assert len(curves) == 2 * len(KINDS)
    uncovered = [curves[kind, 0] for kind in KINDS]
    assert all(rows == uncovered[0] for rows in uncovered)


def test_pictures_depend_on_seed_and_image_only(samples):
    """Neither on the order of the images, nor on the other kinds and fractions of the run."""
    def pictures(order, kinds=KINDS, fractions=(0, .4), seed=0):
        oracle = Oracle(samples)
        occlusion_curves(oracle, order, kinds, fractions, seed)
        step = len(oracle.seen) // len(order)
        return {sample.path.name: oracle.seen[index * step:(index + 1) * step] for index, sample in enumerate(order)}

    first, reversed_order, other_seed = pictures(samples), pictures(samples[::-1]), pictures(samples, seed=1)
    face_only = pictures(samples, ['face'], (0, .2, .4))
    for name, images in first.items():
        assert all(np.array_equal(a, b) for a, b in zip(images, reversed_order[name]))
        assert np.array_equal(images[-1], face_only[name][-1])
        # Faces are black here and so look the same on each other
        assert not any(np.array_equal(a, b) for a, b in zip(images[1:-1], other_seed[name][1:-1]))


def test_matches_keep_the_order_of_samples(samples):
    remaining = iter(samples)

    def find_in_the_fourth(images, score_thr):
        found = samples[3].boxes[:1] if next(remaining) is samples[3] else []
        return [result(found) for _ in images]

    matches = occlusion_curves(find_in_the_fourth, samples, ['lower'], (0, .5))
    for rows in matches.values():
        assert [int(match.true_positive[0].sum()) for match in rows] == [0, 0, 0, 1, 0]


def test_detection_of_a_pasted_face_counts_neither_way(samples):
    """At .6 a pasted face overlaps its box enough to pass for it."""
    from mmseam.analysis.occlusion_curves.curves import covered_samples
    pasted = {}
    for sample, covered in covered_samples(samples, [('face', .6)]):
        pasted[sample.path.name] = np.array([occluder.box for occluder in covered['face', .6].occluders])
    names = iter([sample.path.name for sample in samples])

    def find_pasted_faces(images, score_thr):
        return [result(pasted[next(names)])]

    curves = occlusion_curves(find_pasted_faces, samples, ['face'], (.6, ))
    for match in curves['face', .6]:
        assert match.scores.size == 0
        assert match.num_gt == 2


def test_classes_that_do_not_count(samples):
    def find(images, score_thr):
        return [result(BOXES[:2], names=['face', 'hand']) for _ in images]

    counts = [[len(match.scores) for match in occlusion_curves(
        find, samples, ['lower'], (0, ), classes=classes)['lower', 0]] for classes in (None, ['face'], ['nose'])]
    assert counts == [[2] * 5, [1] * 5, [0] * 5]


def test_progress_is_reported_by_image(samples):
    calls = []
    occlusion_curves(Oracle(samples), samples, ['bars'], (0, .5), progress=lambda: calls.append(1))
    assert len(calls) == len(samples)


@pytest.mark.parametrize('options, message', [
    (dict(samples=[]), 'there is no image to cover'),
    (dict(kinds=['hat']), "unknown kind of occluder 'hat'"),
    (dict(fractions=[2]), 'must be between 0 and 1, not 2'),
], ids=['samples', 'kinds', 'fractions'])
def test_impossible_requests(options, message, samples):
    with pytest.raises(ValueError, match=message):
        occlusion_curves(Oracle(samples), **{**dict(samples=samples), **options})


def test_one_image_has_no_others_to_cut_from(samples):
    with pytest.raises(ValueError, match="no picture to cut occluders of the kind 'texture' from"):
        occlusion_curves(Oracle(samples), samples[:1])
    assert occlusion_curves(Oracle(samples), samples[:1], ['lower', 'bars'])


@pytest.mark.parametrize('length', [5, 45, 75])
def test_names_of_models_are_complete_in_the_plot(length, tmp_path):
    """A legend that is wider than the picture would reach its edge."""
    points = [OcclusionPoint(f'{model:x>{length}}', kind, fraction, 'AP50', .9 - fraction, .8 - fraction, 1 - fraction)
              for model in range(9) for kind in KINDS for fraction in FRACTIONS]
    plot_curves(points, 'AP50', 'AP', tmp_path / 'plot.png')
    picture = cv2.imread(str(tmp_path / 'plot.png'))
    assert (picture[:, 0] == 255).all() and (picture[:, -1] == 255).all()
    assert (picture < 255).any()
