"""What there is of the DCASE data sets: published, pinned and on disk. Printed by `asdflow data`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from asdflow.datasets.dcase import zenodo
from asdflow.datasets.dcase.entries import PARTS, Part
from asdflow.datasets.dcase.registry import Archive, Registry
from asdflow.datasets.dcase.store import machine_folder, manifest_file, zip_file
from asdflow.download import Policy
from asdflow.download.checks import megabytes

HEAD = ("part", "record", "machines", "unpacked", "zips", "size", "checksums")


def text(registry: Registry, years: Iterable[int], store: str | Path) -> str:
    """A paragraph a year: its parts, what the store holds of each, and the terms of use. Nothing is asked."""
    return "\n\n".join(_year(registry, year, Path(store)) for year in years)


def pin_records(registry: Registry, years: Iterable[int], policy: Policy | None = None) -> None:
    """Write the lock of every record that has none. Raises FetchError when the service does not answer."""
    for record in _records(registry, years):
        zenodo.pinned(record, registry.locks, registry.base_url, policy)


def compare_records(registry: Registry, years: Iterable[int], policy: Policy | None = None) -> None:
    """Raise FetchError, naming both values, when a record is no longer what its lock says."""
    for record in _records(registry, years):
        zenodo.compare(record, registry.locks, registry.base_url, policy)


def _records(registry: Registry, years: Iterable[int]) -> list[int]:
    return [registry.year(year).part(part).record for year in years for part in PARTS]


def _year(registry: Registry, year: int, store: Path) -> str:
    facts = registry.year(year)
    rows = [HEAD, *(_part(registry, year, part, store) for part in PARTS)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"DCASE {year}: {facts.title}"]
    lines += [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    if facts.labels is None:
        lines.append("  labels of evaluation clips: none published as a list")
    else:
        there = (store / f"dcase{year}" / "labels" / facts.labels.file).exists()
        lines.append(
            f"  labels of evaluation clips: {facts.labels.file}, {'on disk' if there else 'not yet'}"
        )
    lines += [f"  licence: {facts.licence}", f"  page: {facts.page}"]
    return "\n".join(lines + [f"  cite: {each}" for each in facts.citation])


def _part(registry: Registry, year: int, part: Part, store: Path) -> tuple[str, ...]:
    entry = registry.year(year).part(part)
    archives = [registry.archive(year, part, machine) for machine in sorted(entry.machines)]
    unpacked = sum(
        manifest_file(store, each).exists() and machine_folder(store, each).is_dir() for each in archives
    )
    zips = sum(zip_file(store, each).exists() for each in archives)
    count = str(len(archives))
    size, checked = _known(registry, archives)
    return (part, str(entry.record), count, f"{unpacked} of {count}", f"{zips} of {count}", size, checked)


def _known(registry: Registry, archives: list[Archive]) -> tuple[str, str]:
    """Bytes of all zips, and where their checksums stand."""
    lock = zenodo.lock_file(registry.locks, archives[0].record)
    if lock.exists():
        files = zenodo.pinned(archives[0].record, registry.locks, registry.base_url)
        sizes = [files[each.name].size for each in archives if each.name in files]
        return megabytes(sum(size for size in sizes if size)), f"pinned in {lock.name}"
    if all(each.md5 for each in archives):
        return "unknown", "in the registry"
    return "unknown", "asked of the records service at the first download"
