"""The WIDER FACE protocol written plainly: one image, one detection, one threshold, one subset after the other.

For tests and for the benchmark only. Nothing is shared with ``mmseam.evaluation``.
"""
import numpy as np


def reference_overlaps(box, faces):
    """IoU of one xywh box with xywh faces, a pixel added to every width and height."""
    x1, y1, x2, y2 = box[0], box[1], box[0] + box[2], box[1] + box[3]
    face_x2, face_y2 = faces[:, 0] + faces[:, 2], faces[:, 1] + faces[:, 3]
    width = np.minimum(x2, face_x2) - np.maximum(x1, faces[:, 0]) + 1
    height = np.minimum(y2, face_y2) - np.maximum(y1, faces[:, 1]) + 1
    overlaps = np.zeros(len(faces))
    meet = (width > 0) & (height > 0)
    inter = (width * height)[meet]
    area = (x2 - x1 + 1) * (y2 - y1 + 1)
    face_area = ((face_x2 - faces[:, 0] + 1) * (face_y2 - faces[:, 1] + 1))[meet]
    overlaps[meet] = inter / (area + face_area - inter)
    return overlaps


def reference_overlaps_int32(box, faces):
    """Compute the same one face and one operation at a time in MATLAB's int32 arithmetic (faces int32, box double)."""
    x1, y1, x2, y2 = (float(v) for v in (box[0], box[1], box[0] + box[2], box[1] + box[3]))
    overlaps = []
    for face in faces:
        fx1, fy1, fx2, fy2 = int32(face[0]), int32(face[1]), int32(face[0] + face[2]), int32(face[1] + face[3])
        width = int32(int32(int32(min(x2, fx2)) - int32(max(x1, fx1))) + 1)
        height = int32(int32(int32(min(y2, fy2)) - int32(max(y1, fy1))) + 1)
        inter = int32(width * height)
        face_area = int32(int32(int32(fx2 - fx1) + 1) * int32(int32(fy2 - fy1) + 1))
        union = int32(int32(face_area + (x2 - x1 + 1) * (y2 - y1 + 1)) - inter)
        meet = width > 0 and height > 0
        overlaps.append((int32(inter / union) if union else 2**31 - 1) if meet else 0)
    return np.array(overlaps, dtype=float)


def int32(value):
    """MATLAB's conversion: to the nearest integer, halves away from zero, saturated."""
    whole = int(value)
    if abs(value - whole) >= 0.5:
        whole += 1 if value > 0 else -1
    return min(max(whole, -2**31), 2**31 - 1)


def reference_evaluation(images, num_thresholds=1000, overlaps=reference_overlaps):
    """AP, recall and precision of one subset.

    Args:
        images (list): For each image detections (n, 5), faces (G, 4) and the mask of kept faces (G,).
        num_thresholds (int): Number of thresholds.
        overlaps (callable): Overlap of a box with all faces.
    """
    scores = [row[4] for detections, _, _ in images for row in detections]
    low, high = (min(scores), max(scores)) if scores else (0.0, 0.0)
    curve = np.zeros((num_thresholds, 2))
    num_faces = 0
    for detections, faces, keep in images:
        num_faces += int(np.sum(keep))
        if len(detections) == 0 or len(faces) == 0:
            continue
        rows = np.array(sorted(detections, key=lambda row: -row[4]), dtype=float)  # sorted() is stable
        counts, found = match_image(rows, faces, keep, overlaps)
        normalized = (rows[:, 4] - low) / (high - low) if high > low else np.zeros(len(rows))
        for t in range(num_thresholds):
            passing = np.where(normalized >= 1 - (t + 1) / num_thresholds)[0]
            if len(passing):
                last = passing[-1]
                curve[t, 0] += np.sum(counts[:last + 1])
                curve[t, 1] += found[last]
    recall = curve[:, 1] / num_faces if num_faces else np.full(num_thresholds, np.nan)
    precision = np.array([hits / all_ if all_ else 0.0 for all_, hits in curve])
    return voc_ap(recall, precision), recall, precision


def match_image(rows, faces, keep, overlaps):
    """Whether each detection counts, and how many kept faces are found up to it."""
    counts, found, matched = [], [], set()
    for row in rows:
        overlap = overlaps(row, faces)
        best = int(np.argmax(overlap))
        hit = overlap[best] >= 0.5
        counts.append(not (hit and not keep[best]))
        if hit and keep[best]:
            matched.add(best)
        found.append(len(matched))
    return np.array(counts), np.array(found)


def voc_ap(recall, precision):
    """Area under the envelope of precision, as VOC's all-points AP writes it."""
    recall, precision = [0.0, *recall, 1.0], [0.0, *precision, 0.0]
    if np.isnan(recall).any():
        return float('nan')
    for i in range(len(precision) - 1, 0, -1):
        precision[i - 1] = max(precision[i - 1], precision[i])
    return sum((recall[i + 1] - recall[i]) * precision[i + 1]
               for i in range(len(recall) - 1) if recall[i + 1] != recall[i])
