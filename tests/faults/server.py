"""A local server that speaks Zenodo's records API, serves simulated zips of every year, and fails on demand.

    python tests/faults/server.py --folder FOLDER --years 2023 2024

writes a registry into FOLDER, prints the environment that makes a study use it, serves until interrupted.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import io
import json
import re
import socket
import struct
import sys
import threading
import time
import wave
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
RATE = 16000
Cell = tuple[str, str | None, str | None]


@dataclass
class Fault:
    """What goes wrong with a file, for the first `times` requests of its body (None: always).

    Parameters
    ----------
    status : int, optional
        Answer with this status and no file.
    retry_after : str, optional
        Header of that answer.
    reset_at, close_at : float, optional
        Send this share of the body, then reset or close the connection.
    body : bytes, optional
        Serve these bytes in place of the file.
    ignore_range : bool
        Answer ranges with the whole body.
    pause_at : float, optional
        Send this share of the body, then nothing until the client is gone.
    bytes_per_s : float, optional
        A slow line, to look at the progress bar.
    """

    status: int | None = None
    retry_after: str | None = None
    reset_at: float | None = None
    close_at: float | None = None
    body: bytes | None = None
    ignore_range: bool = False
    pause_at: float | None = None
    bytes_per_s: float | None = None
    times: int | None = None


@dataclass
class Request:
    """One request as the server saw it; `sent` counts bytes of body."""

    path: str
    range: str | None
    at: float
    status: int = 0
    sent: int = 0


@dataclass
class Server:
    """Use as a context manager; change `files`, `texts` and `faults` at any time."""

    files: dict[tuple[int, str], bytes] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    checksums: dict[str, str] = field(default_factory=dict)
    most_at_once: int = 0

    def __enter__(self) -> Server:
        self._at_once, self._lock = 0, threading.Lock()
        self._http = _QuietServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        """http://127.0.0.1:port"""
        return f"http://127.0.0.1:{self._http.server_port}"

    def file_url(self, record: int, name: str) -> str:
        """Address of a record's file."""
        return f"{self.url}/records/{record}/files/{name}?download=1"

    def bodies(self, name: str) -> list[Request]:
        """Requests of a file's body."""
        return [
            each
            for each in self.requests
            if each.path.split("?")[0].endswith((f"/{name}", f"/{name}/content"))
        ]

    def find(self, path: str) -> tuple[str, bytes] | None:
        """Name and bytes behind a path."""
        if match := re.fullmatch(r"/api/records/(\d+)", path):
            return f"record {match[1]}", self._record(int(match[1]))
        match = re.fullmatch(r"/records/(\d+)/files/([^/]+)", path) or re.fullmatch(
            r"/api/records/(\d+)/files/([^/]+)/content", path
        )
        if match and (int(match[1]), match[2]) in self.files:
            return match[2], self.files[int(match[1]), match[2]]
        name = path.removeprefix("/lists/")
        return (name, self.texts[name]) if name in self.texts else None

    def _record(self, record: int) -> bytes:
        files = [
            {
                "key": name,
                "size": len(body),
                "checksum": self.checksums.get(name, f"md5:{md5(body)}"),
                "links": {"self": f"{self.url}/api/records/{record}/files/{name}/content"},
            }
            for (number, name), body in self.files.items()
            if number == record
        ]
        return json.dumps({"id": record, "files": files}).encode()

    def fault(self, name: str) -> Fault:
        """The fault that meets this request; one of a limited number is used up."""
        with self._lock:
            fault = self.faults.get(name)
            if fault is None or fault.times == 0:
                return Fault()
            if fault.times is not None:
                fault.times -= 1
            return fault

    def count(self, change: int) -> None:
        """Bodies being sent at once."""
        with self._lock:
            self._at_once += change
            self.most_at_once = max(self.most_at_once, self._at_once)


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that break are what this server is for."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            request = Request(self.path, self.headers.get("Range"), time.monotonic())
            server.requests.append(request)
            found = server.find(urlsplit(self.path).path)
            if found is None:
                self._answer(request, 404, {}, b"not here")
                return
            name, body = found
            fault = server.fault(name)
            if fault.status is not None:
                headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
                self._answer(request, fault.status, headers, b"no")
                return
            server.count(1)
            try:
                self._body(request, body if fault.body is None else fault.body, fault)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                server.count(-1)

        def _body(self, request: Request, body: bytes, fault: Fault) -> None:
            match = re.fullmatch(r"bytes=(\d+)-", request.range or "")
            if match is None or fault.ignore_range:
                status, part, headers = 200, body, {}
            elif int(match[1]) >= len(body):
                self._answer(request, 416, {"Content-Range": f"bytes */{len(body)}"}, b"")
                return
            else:
                start = int(match[1])
                status, part = 206, body[start:]
                headers = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            # A changing date must not make anybody fetch again.
            headers["Last-Modified"] = self.date_time_string(time.time())
            headers["Accept-Ranges"] = "bytes"
            if fault.bytes_per_s is not None:
                self._answer(request, status, headers, b"", announced=len(part))
                for start in range(0, len(part), step := max(1, int(fault.bytes_per_s / 20))):
                    self.wfile.write(part[start : start + step])
                    time.sleep(0.05)
                request.sent = len(part)
                return
            share = fault.reset_at if fault.reset_at is not None else fault.close_at
            if fault.pause_at is not None:
                self._answer(
                    request, status, headers, part[: int(fault.pause_at * len(part))], announced=len(part)
                )
                self.connection.recv(1)  # returns when the client is gone
                self.close_connection = True
                return
            if share is None:
                self._answer(request, status, headers, part)
                return
            self._answer(request, status, headers, part[: int(share * len(part))], announced=len(part))
            self.close_connection = True
            if fault.reset_at is not None:
                time.sleep(0.05)  # let what was sent arrive, a reset would overtake it
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()

        def _answer(
            self,
            request: Request,
            status: int,
            headers: Mapping[str, str],
            body: bytes,
            announced: int | None = None,
        ) -> None:
            request.status = status
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) if announced is None else announced))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
            request.sent = len(body)

    return Handler


# -- simulated data sets -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    """How large a simulated data set is: clips of each kind in each section, and seconds of a clip."""

    source: int = 4
    target: int = 2
    test: int = 2
    supplemental: int = 2
    duration_s: float = 0.02


def md5(body: bytes) -> str:
    """Hexadecimal MD5."""
    return hashlib.md5(body).hexdigest()


def wav(seed: int, channels: int = 1, seconds: float = 0.02, rate: int = RATE) -> bytes:
    """A short noise, 16 bit."""
    samples = np.random.default_rng(seed).normal(0, 3000, (round(seconds * rate), channels))
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip with fixed dates: equal members, equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body in members.items():
            file.writestr(zipfile.ZipInfo(name, (2023, 3, 1, 0, 0, 0)), body, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def simulate(
    server: Server, folder: Path, years: Iterable[int] = range(2020, 2027), size: Size | None = None
) -> Path:
    """Put every zip and label list of the years on the server; returns a registry made for them.

    The registry is the project's own with small counts, true checksums where the project's has any (the
    others are left to the API), and the label lists' addresses and hashes.
    """
    size = size or Size()
    registry = copy.deepcopy(_published())
    registry["label_urls"] = [f"{server.url}/lists/{{name}}"]
    registry["years"] = {year: facts for year, facts in registry["years"].items() if year in set(years)}
    for year, facts in registry["years"].items():
        duration = facts["audio"]["duration_s"]
        duration["min"] = min(duration["min"], size.duration_s)
        for part in ("development", "additional_training", "evaluation"):
            entry = facts[part]
            known = dict(entry.get("md5", {}))
            for machine, sections in entry["machines"].items():
                name = entry.get("files", {}).get(machine, entry["file"].format(machine=machine))
                body, _ = published(year, part, machine, tuple(sections), size, facts["audio"]["channels"])
                server.files[entry["record"], name] = body
                if machine in known:
                    known[machine] = md5(body)
            entry.update(md5=known, clips=_counts(year, part, size))
        if facts["labels"]:
            text = "".join(
                f"{machine}\n" + published(year, "evaluation", machine, tuple(sections), size, 1)[1]
                for machine, sections in facts["evaluation"]["machines"].items()
            ).encode()
            server.texts[facts["labels"]["file"]] = text
            facts["labels"] = {**facts["labels"], "sha256": hashlib.sha256(text).hexdigest()}
    path = Path(folder) / "datasets.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = "".join(f"  {year}: {json.dumps(entry)}\n" for year, entry in registry.pop("years").items())
    lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in registry.items())
    path.write_text(f"{lines}years:\n{facts}", encoding="utf-8")  # JSON is YAML
    return path


@cache
def _published() -> dict[str, Any]:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(ROOT / "resources" / "datasets.yaml")


def _counts(year: int, part: str, size: Size) -> list[dict[str, Any]]:
    domains = [None] if year == 2020 else ["source", "target"]
    counts = []
    if part != "evaluation":
        for domain in domains:
            number = size.target if domain == "target" else size.source
            counts.append({"split": "train", "domain": domain, "label": "normal", "clips": number})
    if part != "additional_training" and not (year == 2026 and part == "evaluation"):
        for domain in domains:
            for label in ("normal", "anomaly"):
                counts.append({"split": "test", "domain": domain, "label": label, "clips": size.test})
    if year == 2026 and part == "evaluation":
        counts.append({"split": "test", "clips": 4 * size.test})
    if year == 2025 and part != "evaluation":
        counts.append({"split": "supplemental", "clips": size.supplemental})
    return [{key: value for key, value in count.items() if value is not None} for count in counts]


@cache
def published(
    year: int, part: str, machine: str, sections: tuple[str, ...], size: Size, channels: int
) -> tuple[bytes, str]:
    """One zip, named and arranged as in that year, and its lines in the list of labels."""
    lines: list[str] = []
    members: dict[str, bytes] = {}
    attributes: dict[str, list[str]] = {}

    def add(folder: str, name: str) -> None:
        members[f"{machine}/{folder}/{name}"] = wav(
            int(md5(f"{year}{part}{machine}{folder}{name}".encode())[:8], 16), channels, size.duration_s
        )

    for section in sections:
        rows = attributes.setdefault(section, [])
        if part != "evaluation":
            for folder, name, pairs in _training(year, section, size):
                add(folder, name)
                rows.append(f"{machine}/{folder}/{name},{pairs}\n")
        if part == "development":
            for folder, name, pairs, _ in _test(year, section, size):
                add(folder, name)
                rows.append(f"{machine}/{folder}/{name},{pairs}\n")
        if part == "evaluation":
            for number, (folder, full, _, label) in enumerate(_test(year, section, size)):
                short = _anonymous(year, section, full, number)
                add(folder, short)
                third = f",{int(label == 'anomaly')}" if year == 2020 else ""
                lines.append(f"{short},{full}{third}\n")
        if year == 2025 and part != "evaluation":
            for number in range(size.supplemental):
                add("supplemental", f"section_{section}_machine_{number + 1:04d}_noAttribute.wav")
    if year >= 2022 and part != "evaluation":
        for section, rows in attributes.items():
            table = "file_name,d1p,d1v\n" + "".join(rows)
            members[f"{machine}/attributes_{section}.csv"] = table.encode()
    return zipped(members), "".join(lines)


def _training(year: int, section: str, size: Size) -> Iterable[tuple[str, str, str]]:
    """(folder, name, attributes) of normal clips."""
    if year == 2020:
        for number in range(size.source):
            yield "train", f"normal_id_{section}_{number:08d}.wav", ""
        return
    for domain, clips in (("source", size.source), ("target", size.target)):
        for number in range(clips):
            name = f"section_{section}_{domain}_train_normal_{number:04d}_vel_{number % 3}.wav"
            yield "train", name, f"vel,{number % 3}"


def _test(year: int, section: str, size: Size) -> Iterable[tuple[str, str, str, str]]:
    """(folder, full name, attributes, label) of test clips."""
    if year == 2020:
        for label in ("normal", "anomaly"):
            for number in range(size.test):
                yield "test", f"{label}_id_{section}_{number:08d}.wav", "", label
        return
    number = 0
    for domain in ("source", "target"):
        folder = f"{domain}_test" if year == 2021 else "test"
        for label in ("normal", "anomaly"):
            for _ in range(size.test):
                test = "" if (year, section) == (2024, "00") and number == 0 else "test_"  # as in one list
                tail = "" if year == 2021 else "_vel_4"
                name = f"section_{section}_{domain}_{test}{label}_{number:04d}{tail}.wav"
                yield folder, name, "vel,4", label
                number += 1


def _anonymous(year: int, section: str, full: str, number: int) -> str:
    if year == 2020:
        return f"id_{section}_{number:08d}.wav"
    if year == 2021:
        domain = "source" if "_source_" in full else "target"
        return f"section_{section}_{domain}_test_{number:04d}.wav"
    return f"section_{section}_{number:04d}.wav"


def main() -> None:
    """Serve simulated years until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--years", type=int, nargs="+", default=list(range(2020, 2027)))
    parser.add_argument("--duration", type=float, default=1.5, help="seconds of a clip")
    parser.add_argument("--rate", type=float, help="bytes a second of every download")
    arguments = parser.parse_args()
    with Server() as server:
        registry = simulate(server, arguments.folder, arguments.years, Size(duration_s=arguments.duration))
        if arguments.rate:
            server.faults |= {name: Fault(bytes_per_s=arguments.rate) for _, name in server.files}
        print(f"export ASDFLOW_ZENODO={server.url} ASDFLOW_DATASETS={registry.resolve()}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
