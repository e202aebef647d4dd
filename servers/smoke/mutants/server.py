#!/usr/bin/env python3
"""A server of servers/PROTOCOL.md on asyncio alone, and some forty ways to break the contract: what tests `tickbench verify`.

    server.py --listen 127.0.0.1:0 [--tuned] [--chunked] [--mutant NAME]
    server.py --mutants            # their names, a line each

Without `--mutant` it keeps the contract. Each mutant is one `mutant("NAME")` below, beside the line that it breaks. Needs Python 3.11
on Linux, and no packages.
"""

import argparse
import asyncio
import base64
import collections
import ctypes
import functools
import gzip
import hashlib
import heapq
import json
import math
import os
import re
import select
import signal
import struct
import sys
import threading
import time
import urllib.parse

MAX_MESSAGE = 16 << 20
MAX_QUEUED = 48 << 20
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG, FAILED = 0, 1, 2, 8, 9, 10, 16
ARGS = argparse.Namespace(mutant=None, chunked=False)


def mutant(name):
    return ARGS.mutant == name


class Refused(Exception):
    """A request that is wrong: status and sentence."""

    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status = status


# ---- The feed -------------------------------------------------------------------------------------------------------


def split_mix(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        yield z ^ z >> 31


@functools.lru_cache(maxsize=16)
def tape(seed, encoding):
    """What stands behind the stamps in each of the 1,024 updates."""
    picks = [0] * 6 + [1] * 5 + [2] * 3 + [3] * 2
    start = [6412345, 345678, 152345, 52345]
    bids, draw, tails = list(start), split_mix(1 if mutant("seed-ignored") else seed), []
    for _ in range(1024):
        a, b = next(draw), next(draw)
        symbol = picks[a & 15]
        bid = bids[symbol] + (a >> 4 & 7) - (a >> 7 & 7)
        bid = bids[symbol] = min(max(bid, start[symbol] // 2), start[symbol] * 2)
        ask = bid + 1 + (a >> 10 & 3)
        bid_size = 100 * (1 + ((b & 0x3FFF) >> (b >> 14 & 7)))
        ask_size = 100 * (1 + ((b >> 17 & 0x3FFF) >> (b >> 31 & 7)))
        side = b >> 34 & 1
        last = bid if side else ask
        if encoding == "binary":
            tails.append(struct.pack("<HBBIIIII", symbol, side, 0, bid, ask, bid_size, ask_size, last))
            continue
        name, digits = [("BTC-USD", 2), ("ETH-USD", 2), ("SOL-USD", 3), ("XRP-USD", 5)][symbol]
        decimal = lambda value, digits: f"{value // 10**digits}.{value % 10**digits:0{digits}}"
        fields = {
            "symbol": name,
            "bid": decimal(bid, digits),
            "bid_size": decimal(bid_size, 4),
            "ask": decimal(ask, digits),
            "ask_size": decimal(ask_size, 4),
            "last": decimal(last, digits),
            "side": "sell" if side else "buy",
        }
        tails.append(b"," + json.dumps(fields, separators=(",", ":"))[1:].encode())
    return tails


class Capture:
    def __init__(self, path, encoding):
        try:
            with open(path, "rb") as file:
                content = file.read()
            content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
            lines = [json.loads(line) for line in content.splitlines() if line.strip()]
            self.offsets = [line["ts_ns"] - lines[0]["ts_ns"] for line in lines]
            payloads = [line["payload"] for line in lines]
        except (OSError, ValueError, KeyError, IndexError) as cause:
            raise Refused(400, f"the feed {path} cannot be read: {cause}") from cause
        if len(payloads) < 2:
            raise Refused(400, f"the feed {path} holds fewer than two messages")
        self.cycle = self.offsets[-1] + self.offsets[-1] // (len(payloads) - 1)
        self.tails = [self.tail(payload, encoding) for payload in payloads]

    @staticmethod
    def tail(payload, encoding):
        if encoding == "binary":
            return payload.encode()
        try:
            json.loads(payload)
        except ValueError:
            short = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
            escape = lambda found: short.get(ord(found[0]), f"\\u{ord(found[0]):04x}")
            payload = '"' + re.sub(r'[\x00-\x1f"\\]', escape, payload) + '"'
        return b',"payload":' + payload.encode() + b"}"

    def offset(self, seq):
        return seq // len(self.offsets) * self.cycle + self.offsets[seq % len(self.offsets)]


# ---- The query ------------------------------------------------------------------------------------------------------


def pairs(query, keys):
    found = {}
    for part in filter(None, query.split("&")):
        key, equals, value = part.partition("=")
        if not equals:
            raise Refused(400, f"{part} has no value: write key=value")
        if re.search("%(?![0-9a-fA-F]{2})", part):
            raise Refused(400, f"{part} is not percent-encoded UTF-8")
        key, value = (urllib.parse.unquote(text, errors="strict") for text in (key, value))
        if key not in keys and not mutant("unknown-key-taken"):
            raise Refused(400, f"unknown query key {key} in this request")
        if key in found:
            raise Refused(400, f"{key} is given twice: give it once")
        found[key] = value
    return found


def one_of(found, key, words):
    value = found.get(key, words[0])
    if value not in words:
        raise Refused(400, f"{key}={value} is not known: it takes {', '.join(words)}")
    return value


def number(found, key, default, pattern, least):
    text = found.get(key, default)
    if not re.fullmatch(pattern, text) or not math.isfinite(float(text)) or float(text) < least:
        raise Refused(400, f"{key}={text} is no such number")
    return text


class Request:
    """What `/ticks` was asked for."""

    DECIMAL, WHOLE = r"\d+(\.\d*)?([eE][-+]?\d+)?", r"\d+"

    def __init__(self, query):
        found = pairs(query, ["encoding", "rate", "count", "size", "seed", "flush", "arrival", "feed", "speed"])
        self.encoding = one_of(found, "encoding", ["json", "binary"])
        self.flush = one_of(found, "flush", ["each", "batch"])
        arrivals = ["constant", "poisson", "burst", "recorded"]
        if "feed" in found and "rate" not in found:
            found.setdefault("arrival", "recorded")
        self.arrival = one_of(found, "arrival", arrivals)
        self.count = int(number(found, "count", "0", self.WHOLE, 0))
        self.seed = int(number(found, "seed", "1", self.WHOLE, 0))
        self.size = int(number(found, "size", "0", self.WHOLE, 0))
        self.speed = float(number(found, "speed", "1", self.DECIMAL, 1e-300))
        self.rate = float(number(found, "rate", "1000", self.DECIMAL, 0))
        least = 288 if self.encoding == "json" else 48
        if self.size and not least <= self.size <= MAX_MESSAGE or self.seed >= 2**64:
            raise Refused(400, f"size={self.size} or seed={self.seed} is out of range")
        if self.arrival == "recorded" and ("feed" not in found or "rate" in found):
            raise Refused(400, "arrival=recorded needs a feed and no rate")
        if "feed" in found and self.size:
            raise Refused(400, "a size cannot be had of a feed")
        self.capture = Capture(found["feed"], self.encoding) if "feed" in found else None
        self.is_flood = self.arrival != "recorded" and self.rate == 0
        # The lie of a server that knows a check by its request.
        self.is_timed = self.count == 0

    def offsets(self):
        """When each tick is due, in nanoseconds after the start."""
        draw, due = split_mix(self.seed), 0.0
        arrival = "constant" if mutant("poisson-is-constant") and self.arrival == "poisson" else self.arrival
        for seq in range(1 << 62):
            if self.is_flood:
                yield 0
            elif arrival == "recorded":
                yield int(seq * 1e6 if mutant("replay-without-gaps") else self.capture.offset(seq) / self.speed)
            elif arrival == "poisson":
                yield int(due)
                due += -math.log(((next(draw) >> 11) + 1) / 2**53) * 1e9 / self.rate
            else:
                nth = seq - seq % 32 if arrival == "burst" else seq
                whole = self.rate >= 1 and self.rate.is_integer()
                yield nth * 10**9 // int(self.rate) if whole else int(nth * 1e9 / self.rate)

    def tick(self, seq, due, sent):
        if mutant("wrong-from-2000") and seq >= 2000 or mutant("wrong-when-timed") and self.is_timed:
            tails = tape(self.seed ^ 1, self.encoding)
        else:
            tails = self.capture.tails if self.capture else tape(self.seed, self.encoding)
        if self.encoding == "binary":
            message = struct.pack("<QQQ", seq, due, sent) + tails[seq % len(tails)]
            return message + bytes(max(self.size - len(message), 0))
        message = b'{"seq":"%020d","due_ns":"%020d","sent_ns":"%020d"' % (seq, due, sent) + tails[seq % len(tails)]
        if self.size:
            size = self.size - 1 if mutant("pad-short") and self.size > 16000 else self.size
            message = message[:-1] + b',"pad":"' + b"x" * (size - len(message) - 9) + b'"}'
        return message


# ---- Time -----------------------------------------------------------------------------------------------------------


class Timer:
    """Wakes at absolute times of CLOCK_MONOTONIC, by one timerfd: asyncio's own timers count in milliseconds."""

    def __init__(self, loop):
        self.libc, self.loop, self.waiting, self.turn = ctypes.CDLL(None, use_errno=True), loop, [], 0
        self.fd = self.libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        loop.add_reader(self.fd, self.fired)

    async def until(self, due):
        due += 10_000_000 if mutant("late") else 0
        if mutant("coarse-timer"):
            while time.monotonic_ns() < due:
                await asyncio.sleep(0.001)
            return
        if time.monotonic_ns() >= due:
            return
        self.turn += 1
        future = self.loop.create_future()
        heapq.heappush(self.waiting, (due, self.turn, future))
        self.arm()
        await future

    def arm(self):
        due = self.waiting[0][0] if self.waiting else 0
        spec = struct.pack("qqqq", 0, 0, due // 10**9, due % 10**9)
        self.libc.timerfd_settime(self.fd, 1, spec, None)

    def fired(self):
        os.read(self.fd, 8)
        now = time.monotonic_ns()
        while self.waiting and self.waiting[0][0] <= now:
            future = heapq.heappop(self.waiting)[2]
            if not future.done():
                future.set_result(None)
        self.arm()


# ---- A connection ---------------------------------------------------------------------------------------------------


def frame(opcode, payload, fin=0x80):
    length = len(payload)
    if length < 126:
        head = bytes([fin | opcode, length])
    elif length < 1 << 16:
        head = struct.pack(">BBH", fin | opcode, 126, length)
    else:
        head = struct.pack(">BBQ", fin | opcode, 127, length)
    if mutant("masks-frames"):
        return bytes([head[0], head[1] | 0x80]) + head[2:] + bytes(4) + payload
    return head + payload


def unmasked(payload, key):
    length = len(payload)
    stream = (key * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(stream, "little")).to_bytes(length, "little")


class Connection(asyncio.Protocol):
    """One client, from its request on."""

    streams, subscribers = 0, []

    def __init__(self, timer):
        self.timer, self.inbox, self.handle, self.task = timer, bytearray(), None, None
        self.fragments, self.closing, self.open = None, False, asyncio.Event()
        self.queue, self.queued, self.streaming = collections.deque(), 0, False

    def connection_made(self, transport):
        self.transport = transport
        self.open.set()

    def connection_lost(self, _):
        self.closing = True
        self.open.set()
        if self.task:
            self.task.cancel()
        if self in Connection.subscribers:
            Connection.subscribers.remove(self)

    def pause_writing(self):
        self.open.clear()

    def resume_writing(self):
        self.open.set()
        while self.queue and self.open.is_set():
            message = self.queue.popleft()
            self.queued -= len(message)
            self.transport.write(message)

    def data_received(self, data):
        self.inbox += data
        if self.handle is None:
            self.try_request()
        if self.handle is None:
            return
        events, waiting = [], len(self.inbox)
        while (event := self.take()) is not None:
            events.append(event)
        if mutant("echo-needs-whole-frame") and self.inbox and waiting == len(data):
            self.inbox.clear()
        if mutant("echo-merges") and len({opcode for opcode, _ in events}) == 1:
            events = [(events[0][0], b"".join(payload for _, payload in events))]
        if mutant("echo-drops-second"):
            del events[1:]
        for opcode, payload in events:
            if self.closing and opcode != CLOSE:
                continue
            if opcode == FAILED:
                self.close(payload)
            elif opcode >= CLOSE:
                self.control(opcode, payload)
            elif opcode != CONTINUATION:
                self.handle(opcode, payload)

    # -- HTTP

    def try_request(self):
        head, end, rest = bytes(self.inbox).partition(b"\r\n\r\n")
        if not end:
            return
        self.inbox = bytearray(rest)
        lines = head.decode("latin-1").split("\r\n")
        target = lines[0].split(" ")[1]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        path, _, query = target.partition("?")
        try:
            start = self.route(path, query, headers.get("upgrade", "").lower() == "websocket")
        except Refused as refusal:
            status = 500 if mutant("refuses-with-500") and refusal.status == 400 else refusal.status
            return self.answer(status, "text/plain", str(refusal))
        if start is None:
            version = {} if mutant("root-without-version") else {"version": "1.0"}
            return self.answer(200, "application/json", json.dumps({"name": "mutant", **version}))
        key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.transport.write(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        start()

    def route(self, path, query, upgrade):
        """What begins the connection; `None` for the root."""
        keys = {"/relay": ["role"], "/": [], "/echo": []}
        if path != "/ticks" and path not in keys:
            raise Refused(200 if mutant("unknown-path-taken") else 404, "no such path here")
        found = pairs(query, keys[path]) if path in keys else Request(query)
        role = one_of(found, "role", ["subscriber", "publisher"]) if path == "/relay" else None
        if path == "/":
            return None
        if not upgrade:
            if mutant("plain-get-taken") and path == "/ticks":
                raise Refused(200, "here you would find ticks")
            raise Refused(400, "this path wants a WebSocket upgrade")
        if path == "/echo":
            return self.echo
        if path == "/relay":
            return self.subscribe if role == "subscriber" else self.publish
        if mutant("refuses-the-30th") and Connection.streams >= 29:
            raise Refused(503, "too many streams are open")
        return lambda: self.stream(found)

    def answer(self, status, kind, body):
        body = body.encode()
        if ARGS.chunked:
            length = "transfer-encoding: chunked"
            parts = [body[:7], body[7:]]
            body = b"".join(b"%x;x=y\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\nx-end: 1\r\n\r\n"
        else:
            length = f"content-length: {len(body)}"
        head = f"HTTP/1.1 {status} Answer\r\ncontent-type: {kind}\r\n{length}\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode() + body)
        if not ARGS.chunked:
            self.transport.close()

    # -- WebSocket

    def take(self):
        """Opcode and payload of the next message or control frame; of part of a message, and of what the server must fail for, an
        opcode that says so; `None` where the frame is not whole."""
        if len(self.inbox) < 2:
            return None
        first, second = self.inbox[0], self.inbox[1]
        opcode, fin, length, at = first & 15, first & 0x80, second & 0x7F, 2
        if length >= 126:
            at = 4 if length == 126 else 10
            if len(self.inbox) < at:
                return None
            length = int.from_bytes(self.inbox[2:at], "big")
        held = len(self.fragments[1]) if self.fragments else 0
        limit = 4 << 20 if mutant("echo-4mib") else MAX_MESSAGE
        is_masked = second & 0x80
        if not is_masked and not mutant("unmasked-taken") or first & 0x70 or opcode not in (0, 1, 2, 8, 9, 10):
            return self.fail(1002)
        if length + held > limit and opcode < CLOSE:
            return self.fail(1009)
        end = at + (4 if is_masked else 0) + length
        if len(self.inbox) < end:
            return None
        payload = bytes(self.inbox[end - length : end])
        if is_masked:
            payload = unmasked(payload, bytes(self.inbox[at : at + 4]))
        del self.inbox[:end]
        if mutant("control-breaks-fragments") and opcode >= CLOSE:
            self.fragments = None
        return (opcode, payload) if opcode >= CLOSE else self.data(opcode, fin, payload)

    def data(self, opcode, fin, payload):
        if (opcode == CONTINUATION) != (self.fragments is not None):
            return (CONTINUATION, b"") if mutant("control-breaks-fragments") else self.fail(1002)
        if self.fragments:
            opcode, payload = self.fragments[0], self.fragments[1] + payload
        self.fragments = None if fin else (opcode, payload)
        return (opcode, payload) if fin else (CONTINUATION, b"")

    def fail(self, code):
        self.inbox.clear()
        return FAILED, code

    def control(self, opcode, payload):
        if opcode == PING and not (mutant("no-pong-streaming") and self.streaming):
            self.transport.write(frame(PONG, payload))
        if opcode == CLOSE:
            if mutant("no-close-streaming") and self.streaming or mutant("no-close-answer"):
                return
            if mutant("close-loses-tail") and not self.open.is_set():
                self.transport.abort()
            elif not self.closing:
                self.transport.write(frame(CLOSE, payload[:2]))
            self.closing = True
            self.transport.close()

    def close(self, code):
        self.closing = True
        self.transport.write(frame(CLOSE, struct.pack(">H", code)))
        if mutant("close-abrupt"):
            self.transport.close()
        else:
            asyncio.get_running_loop().call_later(5, self.transport.close)

    # -- The three paths

    def echo(self):
        def returned(opcode, payload):
            binary = mutant("echo-as-binary") and len(payload) > 1000
            self.transport.write(frame(BINARY if binary else opcode, payload))

        self.handle = returned

    def publish(self):
        def published(opcode, payload):
            message = frame(opcode, payload)
            for nth, subscriber in enumerate(Connection.subscribers):
                if not (mutant("relay-skips") and nth == 1 and len(payload) == 48):
                    subscriber.deliver(message)
            if mutant("relay-returns") and len(payload) == 48:
                self.transport.write(message)

        self.handle = published

    def subscribe(self):
        self.handle = lambda *_: None
        self.streaming = True
        Connection.subscribers.append(self)
        self.transport.write(frame(TEXT, b"subscribed"))

    def deliver(self, message):
        if self.closing:
            return
        if mutant("relay-starves-the-30th") and Connection.subscribers.index(self) >= 29:
            return
        if self.open.is_set() and not self.queue:
            self.transport.write(message)
            return
        self.queue.append(message)
        self.queued += len(message)
        if self.queued > MAX_QUEUED and not mutant("slow-unbounded"):
            self.queue.clear()
            self.close(1008)

    def stream(self, request):
        self.handle = lambda *_: self.close(1003) if mutant("client-data-closes") else None
        self.streaming = True
        Connection.streams += 1
        if not (mutant("starves-the-30th") and Connection.streams >= 30):
            self.task = asyncio.ensure_future(self.ticks(request))

    async def ticks(self, request):
        opcode = TEXT if request.encoding == "json" else BINARY
        start, seq, offsets, period = time.monotonic_ns(), 0, request.offsets(), 1e9 / (request.rate or 1)
        limit = 32 if request.flush == "batch" else 1
        due = start + next(offsets)
        while not self.closing and (request.count == 0 or seq < request.count or mutant("count-ignored")):
            if not request.is_flood:
                await self.timer.until(due)
            batch = []
            while len(batch) < limit and (request.count == 0 or seq < request.count or mutant("count-ignored")):
                now = time.monotonic_ns()
                if batch and not request.is_flood and due > now:
                    break
                batch.append(frame(opcode, self.stamped(request, seq, now if request.is_flood else due, now)))
                due = start + next(offsets)
                if mutant("drifts"):
                    due = now + int(period)
                seq += 1
            self.transport.write(b"".join(batch))
            if mutant("flood-hogs") and request.is_flood:
                select.select([], [self.transport.get_extra_info("socket")], [], 0.01)
                continue
            if not self.open.is_set():
                await self.open.wait()
            elif seq % 64 < limit:
                await asyncio.sleep(0)
        if not self.closing:
            self.close(1001 if mutant("count-closes-1001") else 1000)

    @staticmethod
    def stamped(request, seq, due, sent):
        if mutant("sent-is-due"):
            sent = due
        if mutant("due-is-early"):
            due -= 90 * 10**9
        if mutant("due-is-sent-from-1500") and seq >= 1500:
            due = sent
        if mutant("sent-in-future"):
            sent += 10**9
            due = sent if request.is_flood else due
        if mutant("repeats-from-1500") and seq >= 1500:
            seq -= 1
        return request.tick(seq, due, sent)


# ---- The process ----------------------------------------------------------------------------------------------------


def end_with_stdin():
    sys.stdin.buffer.read()
    if mutant("ignores-stdin"):
        time.sleep(60)
    os._exit(0)


async def serve(host, port):
    loop = asyncio.get_running_loop()
    timer = Timer(loop)
    loop.add_signal_handler(signal.SIGTERM, lambda: None if mutant("ignores-sigterm") else os._exit(0))
    server = await loop.create_server(lambda: Connection(timer), host, port, backlog=4096)
    if mutant("talks-before-ready"):
        print("Welcome!")
    print("listening %s:%d" % server.sockets[0].getsockname()[:2], flush=True)
    threading.Thread(target=end_with_stdin, daemon=True).start()
    await server.serve_forever()


def main():
    with open(__file__, encoding="utf-8") as file:
        names = re.findall(r'mutant\("([-a-z0-9]+)"\)', file.read())
    names = sorted({*names, "flags-end-with-0", "taken-address-ends-with-0"})
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--chunked", action="store_true", help="send HTTP answers in chunks, which is valid")
    parser.add_argument("--mutant", choices=names)
    parser.add_argument("--mutants", action="store_true", help="print the mutants' names")
    parser.add_argument("--version", action="version", version=f"mutant 1.0 (CPython {sys.version.split()[0]})")
    try:
        known, unknown = parser.parse_known_args(namespace=ARGS)
        host, _, port = known.listen.rpartition(":")
        if unknown or not port.isdigit():
            raise ValueError(f"these flags are wrong: {unknown or known.listen}")
    except (argparse.ArgumentError, ValueError) as cause:
        print(cause, file=sys.stderr)
        sys.exit(0 if "flags-end-with-0" in sys.argv else 2)
    if known.mutants:
        print("\n".join(name for name in names if name != "NAME"))
        return
    try:
        asyncio.run(serve(host, int(port)))
    except OSError as cause:
        print(f"cannot listen on {known.listen}: {cause}", file=sys.stderr)
        sys.exit(0 if mutant("taken-address-ends-with-0") else 1)


if __name__ == "__main__":
    main()
