"""Bootstrap over images for WIDER FACE AP: confidence intervals and paired differences.

A resample draws N of the N images with replacement, which gives a vector of image weights. The counts at all thresholds
are the product of these weights with a sparse matrix (images × thresholds), so all resamples are computed at once.
Scores stay normalized over the complete set: the normalization is part of the method's output, and a resample without
the extreme scores would otherwise shift every threshold.
"""
from dataclasses import dataclass
from typing import Dict, Mapping, Tuple

import numpy as np
from scipy.sparse import csr_matrix

from ..average_precision import resampled_weights
from .matching import WIDERFaceMatches
from .protocol import average_precision, recall_and_precision


@dataclass(frozen=True)
class PairedDifference:
    """Difference in AP of two methods, with a confidence interval from paired resamples.

    Args:
        difference (float): AP of the second method minus AP of the first on the complete set.
        low (float): Lower bound of the confidence interval.
        high (float): Upper bound of the confidence interval.
        p_value (float): Two-sided p-value: twice the smaller fraction of resamples on one side of 0, at least
            ``1 / resamples``.
    """

    difference: float
    low: float
    high: float
    p_value: float


def bootstrap_average_precision(matches: WIDERFaceMatches,
                                subsets: Mapping[str, np.ndarray],
                                num_resamples: int = 1000,
                                seed: int = 0) -> Dict[str, np.ndarray]:
    """Compute the AP of every subset on resampled images.

    The same seed draws the same images for every method, so the arrays of two methods are paired.

    Args:
        matches (WIDERFaceMatches): Matches of one method.
        subsets (Mapping[str, np.ndarray]): Masks of shape (F,) by name.
        num_resamples (int): Number of resamples B. Defaults to 1000.
        seed (int): Seed of the resampling. Defaults to 0.

    Returns:
        dict[str, np.ndarray]: APs of shape (B,) by subset; NaN for a resample without any face of the subset.
    """
    number = matches.num_images
    weights = resampled_weights(number, num_resamples, seed).T.astype(np.float64)
    unmatched = _resampled_counts(matches, matches.face < 0, weights)
    samples = {}
    for name, keep in subsets.items():
        matched = matches.face >= 0
        matched[matched] = keep[matches.face[matched]]
        proposals = np.cumsum(unmatched + _resampled_counts(matches, matched, weights), axis=1)
        found = np.cumsum(_resampled_counts(matches, matched & matches.first, weights), axis=1)
        faces = np.bincount(matches.face_image[keep], minlength=number) @ weights
        samples[name] = average_precision(*recall_and_precision(found, proposals, faces[:, None]))
    return samples


def _resampled_counts(matches: WIDERFaceMatches, chosen: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Count the chosen detections of each resample that are first included at each threshold, shape (B, T)."""
    cells = matches.level[chosen], matches.image[chosen]
    shape = len(matches.thresholds), matches.num_images
    return (csr_matrix((np.ones(len(cells[0])), cells), shape=shape) @ weights).T


def percentile_interval(samples: np.ndarray, confidence: float = 0.95) -> Tuple[float, float]:
    """Compute the percentile interval of bootstrap samples.

    Args:
        samples (np.ndarray): Shape (B,); NaNs are dropped.
        confidence (float): Confidence level. Defaults to 0.95.

    Returns:
        tuple[float, float]: Lower and upper bound; NaN if there is no sample.
    """
    samples = samples[~np.isnan(samples)]
    if not samples.size:
        return float('nan'), float('nan')
    tail = (1 - confidence) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)


def paired_difference(ap_first: float, ap_second: float, first: np.ndarray, second: np.ndarray) -> PairedDifference:
    """Compare two methods on one subset.

    Args:
        ap_first (float): AP of the baseline on the complete set.
        ap_second (float): AP of the other method on the complete set.
        first (np.ndarray): Shape (B,), APs of the baseline on the resamples.
        second (np.ndarray): Shape (B,), APs of the other method on the same resamples.

    Returns:
        PairedDifference: Difference, second minus first.
    """
    samples = second - first
    samples = samples[~np.isnan(samples)]
    low, high = percentile_interval(samples)
    if not samples.size:
        return PairedDifference(ap_second - ap_first, low, high, float('nan'))
    side = min(np.mean(samples <= 0), np.mean(samples >= 0))
    return PairedDifference(ap_second - ap_first, low, high, float(min(1.0, max(2 * side, 1 / samples.size))))
