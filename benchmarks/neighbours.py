#!/usr/bin/env python3
"""What pairing within an iteration is worth, from the records of a run with a control: nothing is measured.

    python3 benchmarks/neighbours.py runs/DIR

How far a server's p50 of delivery lies from that of its own second run, which ran next to it, and from its own in the next iteration;
and how wide the interval of the ratio of medians is, in times of that of the ratio within an iteration.
"""

import json
import math
import pathlib
import statistics
import sys


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    run = pathlib.Path(sys.argv[1])
    started, p50 = read(run / "measurements.jsonl")
    near, far = [], []
    for (cell, server), seen in p50.items():
        control = p50.get((cell, f"{server}#control"))
        if control is None:
            continue
        when = started[cell, server]
        near += [(abs(math.log(seen[i] / control[i])), abs(when[i] - started[cell, f"{server}#control"][i])) for i in seen if i in control]
        far += [(abs(math.log(seen[i] / seen[i + 1])), abs(when[i] - when[i + 1])) for i in seen if i + 1 in seen]
    for name, pairs in (("its own second run", near), ("its own in the next iteration", far)):
        if not pairs:
            sys.exit(f"{run} has no server that ran twice: run a study with a control")
        differences, seconds = zip(*pairs)
        print(
            f"p50 of delivery against {name}, {statistics.median(seconds):.1f} s apart: "
            f"differs by {math.expm1(statistics.median(differences)):.1%} (median of {len(pairs)} pairs)"
        )
    summary = json.loads((run / "summary.json").read_text())
    for metric in ("delivery_cleaned_p50", "delivery_cleaned_p99"):
        of_medians = [
            width(one["ratio_of_medians"]) / width(one["ratio"])
            for one in summary["comparisons"]
            if one["metric"] == metric and one["ratio_of_medians"]
        ]
        if of_medians:
            print(
                f"{metric}: the interval of the ratio of medians is {statistics.median(of_medians):.2f} times as wide "
                f"(median of {len(of_medians)} comparisons, {min(of_medians):.2f} to {max(of_medians):.2f})"
            )


def read(path):
    """When each execution started and its p50 of delivery, by cell and server, then by iteration."""
    started, p50 = {}, {}
    for line in path.read_text().splitlines():
        one = json.loads(line)
        delivery = one.get("delivery_cleaned_ns") or one.get("delivery_ns")
        if one["outcome"]["status"] != "completed" or not delivery or one["kind"] != "latency":
            continue
        cell = tuple(str(one.get(key)) for key in ("scenario", "lane", "client", "idle", "encoding", "flush", "connections"))
        key = cell, one["server"]
        started.setdefault(key, {})[one["iteration"]] = one["started_at_s"]
        p50.setdefault(key, {})[one["iteration"]] = delivery["p50"]
    return started, p50


def width(interval):
    return math.log(interval["high"] / interval["low"])


if __name__ == "__main__":
    main()
