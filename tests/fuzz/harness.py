"""Mutated inputs for one parser: each gives a result or an AsdflowError, within seconds and bounded memory.

    python tests/fuzz/harness.py clips_csv --seconds 600

runs one parser; `make fuzz` runs all of them, ten minutes each. A parser is an entry of `PARSERS` in a module
of `tests/fuzz/parsers/`: whole inputs to begin from, and a function that reads one file. An input that breaks
it is kept in `tests/fuzz/crashes/<parser>/`; once it is mended, move it to `tests/fuzz/seeds/<parser>/`,
where it is tried for ever after and mutated further. The mutations of a parser are the same in every run; the
time decides how many of them are tried.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import importlib
import json
import pkgutil
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = "/dev/shm" if Path("/dev/shm").is_dir() else None  # in memory: a disk would take most of the time
HERE = Path(__file__).resolve().parent
SEEDS, CRASHES = HERE / "seeds", HERE / "crashes"
MEMORY = 3 << 30
"""Bytes that a parser may take; more is a MemoryError, and that a crash."""

SLOW_S = 20.0
"""Seconds after which an input counts as one that is read for ever."""

_NUMBERS = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    (1 << 63) - 1,
)

_ODD = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2,
        3.5,
        1e300,
        -1e300,
        1e-300,
        2**31,
        2**63,
        10**400,
        [],
        {},
        [[]],
        [None],
    ),
    *(
        "",
        "x",
        "1",
        " ",
        "a/b",
        "..",
        "\u00fc",
        "\ud800",
        "\n",
        "\0",
        "x" * 5000,
        "{a}",
        [1, 2],
        {"name": "x"},
    ),
    *({"": 1}, [1, "a"], {"name": ["knn"]}, [{"a": 1}], float("inf"), float("nan")),
)


@dataclass(frozen=True)
class Parser:
    """What is tried.

    Parameters
    ----------
    name : str
    file : str
        Name of the file that is written, e.g. "clips.csv".
    inputs : callable
        Whole inputs, as bytes, made in an empty folder.
    parse : callable
        Reads one file. May raise AsdflowError and nothing else.
    words : tuple of bytes
        Pieces that mean something to the parser; put in at random.
    change : callable, optional
        A change that knows what the bytes mean, made half of the time.
    """

    name: str
    file: str
    inputs: Callable[[Path], list[bytes]]
    parse: Callable[[Path], object]
    words: tuple[bytes, ...] = ()
    change: Callable[[bytes, random.Random], bytes] | None = None


def parsers() -> dict[str, Parser]:
    """Every parser of `tests/fuzz/parsers/`, by name."""
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    found = {}
    for module in pkgutil.iter_modules([str(HERE / "parsers")]):
        for parser in importlib.import_module(f"parsers.{module.name}").PARSERS:
            found[parser.name] = parser
    return found


def kept(parser: Parser) -> list[bytes]:
    """Inputs that once broke the parser."""
    return [path.read_bytes() for path in sorted((SEEDS / parser.name).glob("*"))]


def mutations(inputs: list[bytes], words: tuple[bytes, ...], seed: str, change=None) -> Iterator[bytes]:
    """The inputs as they are, then without end: one of them with one to four changes."""
    yield from inputs
    chance = random.Random(seed)
    while True:
        data = bytearray(chance.choice(inputs))
        for _ in range(chance.randint(1, 4)):
            if change is not None and chance.random() < 0.5:
                data[:] = change(bytes(data), chance)
            else:
                _change(data, inputs, words, chance)
        yield bytes(data)


def _change(data: bytearray, inputs: list[bytes], words: tuple[bytes, ...], chance: random.Random) -> None:
    # Headers decide most, and stand first or last.
    size = len(data)
    end = chance.choice((16, 64, 256, size)) if size else 0
    place = chance.randrange(min(size, end) + 1)
    place = size - place if chance.random() < 0.3 else place
    length = min(chance.choice((1, 2, 4, 8, 32, 256)), size - place)
    match chance.randrange(8):
        case 0 if size > place:
            data[place] ^= 1 << chance.randrange(8)
        case 1:
            data[place : place + length] = chance.randbytes(length)
        case 2:
            width = chance.choice((1, 2, 4, 8))
            number = chance.choice(_NUMBERS) % (1 << (8 * width))
            data[place : place + width] = number.to_bytes(width, chance.choice(("little", "big")))
        case 3:
            del data[place:]
        case 4:
            del data[place : place + length]
        case 5:
            data[place:place] = data[place : place + length] * chance.choice((1, 2, 50))
        case 6 if words:
            data[place : place + chance.choice((0, 1, 4))] = chance.choice(words)
        case _:
            other = chance.choice(inputs)
            begin = chance.randrange(len(other) + 1)
            data[place : place + length] = other[begin : begin + chance.choice((4, 64, 1024))]


def change_json(data: bytes, chance: random.Random) -> bytes:
    """JSON in which a value became another one, went, or moved; other bytes as they are."""
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError):
        return data
    places = [(holder, key) for holder in _holders(whole) for key in _keys(holder)]
    if not places:
        return data
    (holder, key), (other, name) = chance.choice(places), chance.choice(places)
    match chance.randrange(4):
        case 0:
            del holder[key]
        case 1:
            holder[key] = copy.deepcopy(other[name])
        case 2 if isinstance(holder, dict):
            holder[str(chance.choice((name, *_ODD)))] = holder.pop(key)
        case _:
            holder[key] = copy.deepcopy(chance.choice(_ODD))
    return json.dumps(whole).encode()


def _holders(value) -> Iterator[dict | list]:
    if isinstance(value, dict | list):
        yield value
        for key in _keys(value):
            yield from _holders(value[key])


def _keys(holder: dict | list) -> list:
    return list(holder) if isinstance(holder, dict) else list(range(len(holder)))


def tried(parser: Parser, path: Path) -> str:
    """The traceback of what parsing a file raised, or "" for a result and for an AsdflowError."""
    from asdflow.foundation.errors import AsdflowError

    def slow(*_):
        raise TimeoutError(f"not read within {SLOW_S:g} s")

    signal.signal(signal.SIGALRM, slow)
    signal.setitimer(signal.ITIMER_REAL, SLOW_S)
    try:
        parser.parse(path)
    except AsdflowError:
        pass
    except Exception:  # whatever else it is, it is what is searched for
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return ""


def run(parser: Parser, seconds: float, folder: Path) -> tuple[int, list[str]]:
    """Number of inputs that were tried, and for each that broke the parser its file and traceback.

    The input that is tried lies in `folder`, should the process die of it.
    """
    crashes: dict[str, str] = {}
    inputs = parser.inputs(folder) + kept(parser)
    path = folder / "input" / parser.file
    path.parent.mkdir()
    begun, count = time.monotonic(), 0
    for data in mutations(inputs, parser.words, parser.name, parser.change):
        if time.monotonic() - begun > seconds or len(crashes) >= 5:
            break
        path.write_bytes(data)
        count += 1
        if trace := tried(parser, path):
            kind = trace.strip().splitlines()[-1][:80]
            if kind not in crashes:
                crashes[kind] = f"{_keep(parser, data)}\n{trace}"
    return count, list(crashes.values())


def watched(name: str, seconds: float) -> str:
    """Report of `run` in a process of its own, of limited memory, which may die; "" if all is well."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        command = [sys.executable, __file__, name, "--seconds", str(seconds), "--folder", folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120)
        if done.returncode < 0:
            parser = parsers()[name]
            file = _keep(parser, (Path(folder) / "input" / parser.file).read_bytes())
            return f"{file}\nthe process died of signal {-done.returncode}\n{done.stderr[-2000:]}"
        return f"{done.stdout}\n{done.stderr[-2000:]}" if done.returncode else ""


def _keep(parser: Parser, data: bytes) -> Path:
    path = CRASHES / parser.name / hashlib.sha256(data).hexdigest()[:12]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("parser", choices=sorted(known := parsers()))
    arguments.add_argument("--seconds", type=float, default=2.0)
    arguments.add_argument("--folder", type=Path, help="where the inputs are written, one after the other")
    chosen = arguments.parse_args()
    if chosen.folder is None:
        print(report := watched(chosen.parser, chosen.seconds))
        sys.exit(bool(report))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    count, crashes = run(known[chosen.parser], chosen.seconds, chosen.folder)
    print(f"{chosen.parser}: {count} inputs, {len(crashes)} kinds of crash")
    for crash in crashes:
        print(crash)
    sys.exit(bool(crashes))


if __name__ == "__main__":
    main()
