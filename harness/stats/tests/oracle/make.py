#!/usr/bin/env python3
"""Writes reference.json: what scipy, statsmodels and numpy say of fixed data, for src/oracle.rs to be held against.

    python3 -m venv venv && venv/bin/pip install scipy==1.17.1 statsmodels==0.15.0
    venv/bin/python harness/stats/tests/oracle/make.py

Wilcoxon: differences of zero are left out; without ties up to 50 pairs scipy's exact distribution, with ties (few pairs) its
permutation of every choice of signs, above 50 the normal approximation without correction for continuity.
"""

import json
import pathlib

import numpy as np
import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(20260101)


def lognormal(n, center, spread):
    return (center * np.exp(spread * rng.standard_normal(n))).round(3)


def tied(values, differences):
    """Pairs whose ratios come from a short list, so that their logarithms tie to the last bit."""
    pairs = [(values[d], values[0]) for d in differences]
    return np.array([one for one, _ in pairs]), np.array([other for _, other in pairs])


def method(differences):
    left = differences[differences != 0]
    has_ties = len(np.unique(np.abs(left))) < len(left)
    if len(left) > 50:
        return "asymptotic"
    return stats.PermutationMethod(n_resamples=np.inf) if has_ties else "exact"


def pair(name, one, other):
    differences = np.log(one) - np.log(other)
    upper = np.triu_indices(len(differences))
    walsh = (differences[:, None] + differences[None, :])[upper] / 2
    # Mann-Whitney's U counts the pairs in which `one` is larger, and half of the ties.
    u = stats.mannwhitneyu(one, other).statistic
    wilcoxon = stats.wilcoxon(differences, zero_method="wilcox", correction=False, method=method(differences))
    low, high = interval(differences, np.sort(walsh))
    return {
        "name": name,
        "one": one.tolist(),
        "other": other.tolist(),
        "p": float(wilcoxon.pvalue),
        "ratio_of_medians": float(np.median(one) / np.median(other)),
        "shift": float(np.exp(np.median(walsh))),
        "shift_low": low,
        "shift_high": high,
        "cliffs_delta": float(2 * u / (len(one) * len(other)) - 1),
    }


def interval(differences, walsh):
    """The shifts that the test does not reject at 5 %, found by asking it between every two candidates; none with ties."""
    if method(differences) not in ("exact", "asymptotic") or len(np.unique(walsh)) < len(walsh):
        return None, None
    kept = lambda shift: stats.wilcoxon(differences - shift, correction=False, method=method(differences)).pvalue >= 0.05
    between = (walsh[1:] + walsh[:-1]) / 2
    inside = [at for at, shift in enumerate(between) if kept(shift)]
    return float(np.exp(walsh[inside[0]])), float(np.exp(walsh[inside[-1] + 1]))


def series(name, values):
    order = np.arange(len(values), dtype=float)
    return {
        "name": name,
        "values": values.tolist(),
        "p": float(stats.kendalltau(order, values, method="asymptotic").pvalue),
        "slope": float(stats.theilslopes(values, order).slope),
    }


def line(name, x, y):
    return {"name": name, "x": list(map(float, x)), "y": y.tolist(), "slope": float(stats.linregress(x, y).slope)}


base = lognormal(100, 5150, 0.2)
reference = {
    "made_with": {"scipy": scipy.__version__, "statsmodels": statsmodels.__version__, "numpy": np.__version__},
    "pairs": [
        pair("7 pairs, exact", lognormal(7, 5300, 0.1), lognormal(7, 5150, 0.1)),
        pair("20 pairs, exact", lognormal(20, 5300, 0.1), lognormal(20, 5150, 0.1)),
        pair("50 pairs, exact", lognormal(50, 5200, 0.3), lognormal(50, 5150, 0.3)),
        pair("51 pairs, normal", lognormal(51, 5600, 0.3), lognormal(51, 5150, 0.3)),
        pair("100 pairs that drift together", base * lognormal(100, 1.02, 0.01), base),
        pair("12 pairs with ties", *tied([4.0, 5.0, 6.0, 7.0, 2.0, 3.0], [1, 1, 2, 3, 4, 5, 1, 2, 2, 4, 3, 1])),
        pair("12 pairs with ties and zeros", *tied([4.0, 5.0, 6.0, 2.0], [1, 0, 2, 3, 0, 1, 1, 2, 2, 3, 0, 1])),
        pair("70 pairs with ties, normal", *tied([4.0, 5.0, 6.0, 7.0, 2.0], [1, 2, 3, 4, 4, 1, 2] * 10)),
    ],
    "holm": [
        {"p": p, "corrected": multipletests(p, method="holm")[1].tolist()}
        for p in ([0.01, 0.04, 0.03, 0.005], [0.5, 0.5, 0.001], rng.uniform(size=30).round(6).tolist())
    ],
    "series": [
        series("no trend", lognormal(40, 5150, 0.1)),
        series("a trend", lognormal(100, 5150, 0.05) + 4.0 * np.arange(100)),
        series("ties", np.array([3.0, 1.0, 4.0, 4.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0, 8.0, 9.0, 7.0, 9.0])),
    ],
}
# Drawn last, so that what stands above stays as it was.
reference["lines"] = [
    line("two counts", [1, 1000], lognormal(2, 4e6, 0.5)),
    line("decades", [1, 10, 100, 1000, 10000], 3e6 + 9e3 * np.array([1, 10, 100, 1000, 10000]) + lognormal(5, 5e5, 1.0)),
    line("a count twice", [1, 100, 100, 1000], lognormal(4, 4e6, 0.5)),
    line("falling", [10, 20, 40], np.array([5.0, -3.0, -40.0])),
]
path = pathlib.Path(__file__).with_name("reference.json")
path.write_text(json.dumps(reference, indent=1) + "\n")
