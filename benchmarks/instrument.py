#!/usr/bin/env python3
"""What the instrument itself costs: ratios within one run, on one machine, repeats interleaved, medians shown.

    python3 benchmarks/instrument.py [--repeats N] [--cores S,C] [--load-test PROGRAM]

Builds the programs if need be. A repeat in which a hypervisor took more than a twentieth of either core (the kernel's steal) is set
apart and made up for, up to three times as many in all. `--load-test` names uWebSockets' load_test, built to send 64 B to /echo; without it that
comparison is left out, and said so.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import time

# A core that lost more of its time than this was not this machine's alone.
RESTLESS = 0.05

# Repeats at most, in times of those that are asked for.
MOST_TRIES = 3

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "contestant"
PACKAGES = ["tickbench-probe", "tickbench-client-tungstenite", "tickbench-floor", "tickbench-axum"]
PROBE, USUAL, FLOOR, AXUM = (TARGET / name for name in PACKAGES)


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--repeats", type=int, default=7)
    flags.add_argument("--cores", default="0,1", help="of the server and of the client")
    flags.add_argument("--load-test", type=pathlib.Path)
    flags = flags.parse_args()
    server_core, client_core = flags.cores.split(",")
    for package in PACKAGES:
        subprocess.run(["cargo", "build", "--quiet", "--profile", "contestant", "-p", package], cwd=ROOT, check=True)
    bench = Bench(server_core, client_core, flags.load_test)
    seen, missed, restless = {}, [], 0
    quiet = {}
    for _ in range(MOST_TRIES * flags.repeats):
        for measure in (one for one in bench.measures() if quiet.get(one.__name__, 0) < flags.repeats):
            before = bench.stolen()
            try:
                values = measure()
            except Missed as cause:
                missed.append(str(cause))
                continue
            if max(bench.stolen_since(before)) > RESTLESS:
                restless += 1
                continue
            quiet[measure.__name__] = quiet.get(measure.__name__, 0) + 1
            for name, value in values.items():
                seen.setdefault(name, []).append(value)
    if seen:
        report({name: sorted(values) for name, values in seen.items()})
    print(f"\nset apart because the host took more than {RESTLESS:.0%} of a core: {restless}")
    for cause in missed:
        print(f"missed: {cause}")
    if not flags.load_test:
        print("\nnot compared with load_test: name it with --load-test")


class Missed(Exception):
    """A measurement that could not be had."""


class Server:
    """A server on its core, from its ready line until its standard input closes."""

    def __init__(self, core, *command):
        command = ["taskset", "-c", core, *map(str, command), "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline().split()
        if len(ready) < 2:
            raise Missed(f"{' '.join(command)} did not start")
        self.address = ready[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Bench:
    def __init__(self, server_core, client_core, load_test):
        self.server_core, self.client_core, self.load_test = server_core, client_core, load_test

    def measures(self):
        return [self.binary_ceiling, self.json_ceiling, self.one_way, self.wide, self.broadcast, self.echo]

    def stolen(self):
        """When, and for how many seconds each core has been another machine's by then."""
        lines = pathlib.Path("/proc/stat").read_text().splitlines()
        of = {line.split()[0]: int(line.split()[8]) / os.sysconf("SC_CLK_TCK") for line in lines if line.startswith("cpu")}
        return time.monotonic(), of[f"cpu{self.server_core}"], of[f"cpu{self.client_core}"]

    def stolen_since(self, before):
        """The share of each core."""
        (began, *then), (ended, *now) = before, self.stolen()
        return [(late - early) / (ended - began) for early, late in zip(then, now)]

    def client(self, *command):
        command = ["taskset", "-c", self.client_core, *map(str, command)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise Missed(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        reply = json.loads(done.stdout)
        if reply.get("status", "completed") != "completed":
            raise Missed(f"{' '.join(command)}: {reply['reason']}")
        return reply

    def binary_ceiling(self):
        return self.ceiling("binary")

    def json_ceiling(self):
        return self.ceiling("json")

    def ceiling(self, encoding):
        """Prepared frames, as fast as the client takes them."""
        probe = self.client(PROBE, "ceiling", "--encoding", encoding, "--writer-core", self.server_core)
        with Server(self.server_core, PROBE, "prepared", "--encoding", encoding, "--core", self.server_core) as server:
            usual = self.client(USUAL, "measure", "--server", server.address, "--encoding", encoding)
        return {
            f"ceiling, {encoding}: probe, M messages/s": probe["messages_per_s"] / 1e6,
            f"ceiling, {encoding}: probe's CPU, ns a message": probe["cpu_ns_per_message"],
            f"ceiling, {encoding}: probe over the usual client": probe["messages_per_s"] / usual["messages_per_s"],
        }

    def one_way(self):
        """The floor through the probe against a bare TCP stream of frames as large, each paced by a timer."""
        bare = self.client(PROBE, "bare", "--writer-core", self.server_core)
        with Server(self.server_core, FLOOR) as server:
            floor = self.client(
                PROBE, "measure", "--server", server.address, "--rate", "10000", "--wait", "spin"
            )
        return {
            "one way: bare TCP, p50 µs": bare["p50_ns"] / 1e3,
            "one way: floor, p50 µs": floor["delivery_ns"]["p50"] / 1e3,
            "one way: floor over bare TCP": floor["delivery_ns"]["p50"] / bare["p50_ns"],
        }

    def wide(self):
        """9,000 connections, 10 messages a second each."""
        connections = 9_000
        with Server(self.server_core, FLOOR) as server:
            common = ["measure", "--server", server.address, "--wait", "block", "--window-ns", "2000000000"]
            one = self.client(PROBE, *common, "--rate", "10")
            wide = self.client(PROBE, *common, "--connections", connections, "--rate", 10 * connections)
        grown = wide["client_usage"]["rss_peak_bytes"] - one["client_usage"]["rss_peak_bytes"]
        return {
            "9,000 connections: messages/s": wide["messages_per_s"],
            "9,000 connections: lost": wide["lost"],
            "9,000 connections: probe's share of its core, %": 100 * wide["client_usage"]["cpu_share"],
            "9,000 connections: probe's memory, bytes a connection": grown / connections,
            "9,000 connections: to set up, s": wide["connect_ns"] / 1e9,
        }

    def broadcast(self):
        """10 messages a second, each published to 9,000 subscribers."""
        subscribers, rate = 9_000, 10
        with Server(self.server_core, FLOOR) as server:
            common = ["--job", "relay", "--connections", subscribers, "--rate", rate, "--wait", "block"]
            seen = self.client(PROBE, "measure", "--server", server.address, *common, "--window-ns", "2000000000")
        return {
            "broadcast to 9,000: deliveries/s": seen["messages_per_s"],
            "broadcast to 9,000: not delivered": seen["sent"] - seen["received"],
            "broadcast to 9,000: p50 of delivery, ms": seen["delivery_ns"]["p50"] / 1e6,
            "broadcast to 9,000: p50 of skew, ms": seen["skew_ns"]["p50"] / 1e6,
            "broadcast to 9,000: probe's share of its core, %": 100 * seen["client_usage"]["cpu_share"],
            "broadcast to 9,000: published late, p50 µs": seen["publish_lag_ns"]["p50"] / 1e3,
            "broadcast to 9,000: to set up, s": seen["connect_ns"] / 1e9,
        }

    def echo(self):
        """64 B over 100 connections, the next message when the last is back."""
        with Server(self.server_core, AXUM, "--tuned") as server:
            common = ["--job", "echo", "--size", "64", "--connections", "100", "--wait", "block"]
            probe = self.client(PROBE, "measure", "--server", server.address, *common, "--window-ns", "3000000000")
            rate, cpu_ns = probe["messages_per_s"], probe["client_usage"]["cpu_ns_per_message"]
            seen = {"echo: probe, messages/s": rate, "echo: probe's CPU, ns a message": cpu_ns}
            if self.load_test:
                theirs, their_cpu_ns = self.run_load_test(server.address)
                seen |= {
                    "echo: load_test, messages/s": theirs,
                    "echo: probe over load_test, rate": rate / theirs,
                    "echo: probe over load_test, CPU a message": cpu_ns / their_cpu_ns,
                }
        return seen

    def run_load_test(self, address):
        """Its rate over four seconds, and its CPU time over them for each message."""
        host, port = address.rsplit(":", 1)
        command = ["taskset", "-c", self.client_core, "stdbuf", "-oL", str(self.load_test), "100", host, port, "0", "0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            rates, marks = [], []
            while len(rates) < 2:
                line = process.stdout.readline()
                if not line:
                    raise Missed(f"{' '.join(command)} ended early")
                found = re.search(r"Msg/sec: ([0-9.]+)", line)
                if found:
                    rates.append(float(found[1]))
                    marks.append((time.monotonic(), cpu_seconds(process.pid)))
        finally:
            process.kill()
            process.wait()
        (began, cpu_began), (ended, cpu_ended) = marks
        # It divides by the four seconds that it asked its timer for: the true interval is what passed.
        messages = rates[1] * 4
        return messages / (ended - began), (cpu_ended - cpu_began) * 1e9 / messages


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(seen):
    width = max(map(len, seen))
    print(f"{'':{width}}  {'median':>12}  {'least':>12}  {'most':>12}  {'repeats':>7}")
    for name, values in seen.items():
        shown = (statistics.median(values), values[0], values[-1])
        print(f"{name:{width}}  " + "  ".join(f"{value:12,.3f}" for value in shown) + f"  {len(values):7}")


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    main()
