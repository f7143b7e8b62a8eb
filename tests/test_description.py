"""What is left of a residual: noise is taken for noise, and what is regular is not."""

import numpy as np
import torch

from kanpde.symbolic.description import Trial, drift, residual_structure
from kanpde.symbolic.forms import Form
from kanpde.symbolic.refitting import refit

NAMES = ["x", "y", "z"]


def judged_by(fitted, truth, noise, seed):
    random = np.random.default_rng(seed)
    columns = torch.tensor(random.uniform(1, 2, (3, 600)))
    y = truth(*columns) + noise * torch.tensor(random.standard_normal(600))
    form, start = Form.of(fitted, NAMES)
    trial = Trial.of(refit(form, columns, y, starts=start[None]), y)
    return residual_structure(trial, columns, y)[0], drift(trial, columns, y)


def test_noise_is_taken_for_structure_as_rarely_as_the_probability_says():
    found = np.array([judged_by("2.0*x*y/z", lambda x, y, z: x * y / z, 0.1, seed) for seed in range(60)])
    assert ((found < np.log10(0.05)).mean(0) < 0.15).all() and found.min() > -3.5
    assert 0.2 < (found[:, 1] < np.log10(0.5)).mean() < 0.8


def test_what_only_stands_for_a_law_has_constants_that_drift():
    near = [judged_by("1.1*x*y*exp(-0.7*z)", lambda x, y, z: x * y / z, 0.05, seed) for seed in range(5)]
    assert max(log10 for _, log10 in near) < -3


def test_without_constants_nothing_drifts():
    assert judged_by("x*y/z", lambda x, y, z: x * y / z**1.1, 0.01, 0)[1] == 0.0
    assert judged_by("x*y/z", lambda x, y, z: x * y / z**1.1, 0.01, 0)[0] < -10
