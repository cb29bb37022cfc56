"""Bank and domains of recordings that come without them: by named, deterministic rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from asdflow.clips.rows import ClipRow
from asdflow.foundation.errors import DataError

Machines = Mapping[str, Sequence[ClipRow]]


def as_domains(machines: Machines, where: object, source: Sequence[str], target: Sequence[str]) -> Machines:
    """Every machine as one section "00", with its former sections (ids) as source and target domain.

    The id stays as attribute `id`; ids in neither list are left out.

    Raises DataError when a clip has a domain already, or a machine has none of the ids.
    """
    domains = dict.fromkeys(source, "source") | dict.fromkeys(target, "target")
    result = {}
    for machine, rows in machines.items():
        having = next((row for row in rows if row.domain), None)
        if having:
            raise DataError(
                where,
                f"has clips with a domain ({having.clip}: {having.domain})",
                "Leave source_ids and target_ids out.",
            )
        result[machine] = [
            replace(
                row,
                section="00",
                domain=domains[row.section],
                attributes={"id": row.section} | dict(row.attributes),
            )
            for row in rows
            if row.section in domains
        ]
        if not result[machine]:
            found = sorted({row.section for row in rows})
            raise DataError(
                f"{where}, machine {machine}",
                f"has none of the ids {', '.join(domains)}; it has {', '.join(found)}",
                "Correct source_ids and target_ids, or name the machines that have them.",
            )
    return result


def with_bank(machines: Machines, where: object, source: int | None, target: int | None) -> Machines:
    """Clips without a split ("") get one: the first normal clips of each group train, all others test.

    A group is one machine, section, domain and id; its clips are taken in the order of their names.

    Parameters
    ----------
    machines : mapping
    where : object
        For messages.
    source, target : int or None
        Training clips of each group, and of each group in the target domain (None: as many as `source`).

    Raises
    ------
    DataError
        There is no rule and a clip has no split; there is a rule and no clip needs it; or a group has not
        one normal clip more than the rule asks for.
    """
    open_ = [row for rows in machines.values() for row in rows if not row.split]
    if not open_ and source is None:
        return machines
    if not open_:
        raise DataError(
            where,
            "says of every clip whether it is for training",
            "Leave train_normal out: it decides nothing.",
        )
    if source is None:
        raise DataError(
            where,
            f"does not say of {len(open_)} clips whether they train or test, first {open_[0].path}",
            "Set train_normal: n, so that the first n normal clips of each section become the bank, put the "
            "files into folders train and test, or add a column split to clips.csv.",
        )
    return {machine: _with_bank(machine, rows, where, source, target) for machine, rows in machines.items()}


def _with_bank(machine: str, rows: Sequence[ClipRow], where: object, source: int, target: int | None):
    groups: dict[tuple, list[ClipRow]] = defaultdict(list)
    for row in rows:
        if not row.split and row.label == "normal":
            groups[_group(row)].append(row)
    bank: set[str] = set()
    for group in sorted({_group(row) for row in rows if not row.split}, key=str):
        normal = sorted(groups[group], key=lambda row: (row.path, row.start_s))
        section, domain, _ = group
        wanted = target if target is not None and domain == "target" else source
        if len(normal) <= wanted:
            key = "target_train_normal" if wanted is target else "train_normal"
            place = f"{where}, machine {machine}, section {section}" + (f", {domain}" if domain else "")
            raise _too_few(place, key, wanted, normal, [row for row in rows if _group(row) == group])
        bank.update(row.clip for row in normal[:wanted])
    return [row if row.split else replace(row, split="train" if row.clip in bank else "test") for row in rows]


def _too_few(
    place: str, key: str, wanted: int, normal: Sequence[ClipRow], clips: Sequence[ClipRow]
) -> DataError:
    """Fewer normal clips than a bank of `wanted` and one to test with."""
    what = f"has {len(normal)} normal clips, but {key} is {wanted} and one must be left to test with"
    unlabelled = [clip for clip in clips if clip.label is None]
    if unlabelled and len(normal) < 2:
        return DataError(
            place,
            f"{what}; {len(unlabelled)} of its {len(clips)} clips have no label, first {unlabelled[0].path}",
            f"{key} counts normal clips alone: say in a column label which clips are normal, or in a column "
            "split which ones train.",
        )
    if len(normal) < 2:
        return DataError(place, what, "Add normal recordings.")
    return DataError(place, what, f"Set {key} to at most {len(normal) - 1}, or add normal recordings.")


def _group(row: ClipRow) -> tuple[str, str | None, str | None]:
    return row.section, row.domain, row.attributes.get("id")
