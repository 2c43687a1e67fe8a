#!/usr/bin/env python3
"""Writes metrics.json: what scikit-learn makes of random classifications.

Debian: python3-sklearn. The expected calibration error, which scikit-learn does
not have, is computed here from its definition (Guo et al. 2017, equation 3).
"""
import json
import pathlib

import numpy as np
from sklearn import metrics

BINS = 15


def calibration_error(p, labels):
    confidence, correct = p.max(axis=1), p.argmax(axis=1) == labels
    error = 0.0
    for i in range(BINS):
        inside = (confidence > i / BINS) & (confidence <= (i + 1) / BINS)
        if inside.any():
            error += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    return error


def case(seed, images, classes, skill, absent):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes - absent, images)
    logits = rng.normal(size=(images, classes)).round(3).astype(np.float32)
    logits[np.arange(images), labels] += np.float32(skill)
    wide = logits.astype(np.float64)
    p = np.exp(wide - wide.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    best, every = logits.argmax(axis=1), np.arange(classes)
    scores = dict(average=None, labels=every, zero_division=0)
    return dict(
        classes=classes,
        labels=labels.tolist(),
        logits=[round(float(v), 3) for v in logits.ravel()],
        top1=metrics.accuracy_score(labels, best),
        top5=metrics.top_k_accuracy_score(labels, p, k=min(5, classes - 1), labels=every),
        loss=metrics.log_loss(labels, p, labels=every),
        macro_f1=metrics.f1_score(labels, best, average="macro", zero_division=0),
        precision=metrics.precision_score(labels, best, **scores).tolist(),
        recall=metrics.recall_score(labels, best, **scores).tolist(),
        f1=metrics.f1_score(labels, best, **scores).tolist(),
        confusion=metrics.confusion_matrix(labels, best, labels=every).tolist(),
        calibration_error=calibration_error(p, labels),
    )


cases = [case(1, 200, 10, 2.0, 0), case(2, 60, 7, 0.5, 2), case(3, 90, 25, 4.0, 0), case(4, 12, 6, 9.0, 1)]
path = pathlib.Path(__file__).with_name("metrics.json")
path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
