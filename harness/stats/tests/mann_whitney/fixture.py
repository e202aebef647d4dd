#!/usr/bin/env python3
"""Writes fixture.json beside this file: samples, and what SciPy says of them. Needs scipy; run by hand when a case is added."""
import json, pathlib, random
from scipy.stats import mannwhitneyu

draw = random.Random(20)
latency = lambda n, scale: [round(scale * draw.lognormvariate(8.5, 0.1)) for _ in range(n)]
cases = {
    "equal in law": (latency(100, 1.0), latency(100, 1.0)),
    "a tenth slower": (latency(100, 1.0), latency(100, 1.1)),
    "of two lengths": (latency(12, 1.0), latency(57, 1.03)),
    "many ties": ([draw.randint(1, 6) for _ in range(60)], [draw.randint(2, 7) for _ in range(45)]),
    "no overlap": (latency(40, 1.0), latency(40, 3.0)),
    "five against five": ([5, 1, 4, 2, 3], [9, 4, 7, 8, 6]),
}
rows = []
for name, (before, after) in cases.items():
    p = mannwhitneyu(before, after, alternative="two-sided", method="asymptotic", use_continuity=True).pvalue
    rows.append({"name": name, "before": before, "after": after, "p": float(p)})
path = pathlib.Path(__file__).with_name("fixture.json")
path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
