"""Own recordings: any tree of sound files, described by a table or by its names."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from asdflow.clips.dcase_names import understood
from asdflow.clips.rows import ClipRow
from asdflow.datasets import _clips_csv, _dcase_tree, _mimii_tree, register
from asdflow.datasets._scan import Tree, leads_out, say_unused, scan
from asdflow.datasets._split import Machines, as_domains, with_bank
from asdflow.datasets.base import Recordings
from asdflow.foundation.errors import ConfigError, DataError, did_you_mean
from asdflow.foundation.names import require_path

if TYPE_CHECKING:
    import pyarrow as pa


@register("folder")
@dataclass(frozen=True, kw_only=True)
class Folder(Recordings):
    """A folder of recordings.

    Layouts: `clips_csv`, a table clips.csv in the folder; `dcase`, names and folders of any year of DCASE
    Task 2; `mimii`, `[<snr>_]<machine>/id_<XX>/{normal,abnormal}/...`. `auto` takes the first of them that
    fits. Which clips train is never guessed: the table, the names or `train_normal` say it.
    """

    # Called `root` in a configuration; here that is the method which every kind answers.
    folder: Annotated[
        str,
        Field(
            alias="root", min_length=1, description="Folder of the recordings, from the working directory."
        ),
    ]
    layout: Annotated[
        Literal["auto", "clips_csv", "dcase", "mimii"], Field(description="How the recordings are described.")
    ] = "auto"
    machines: Annotated[
        Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None,
        Field(description="Machines to take. Default: all."),
    ] = None
    sections: Annotated[
        Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None,
        Field(description='Sections to take, as text: ["00"]. Default: all.'),
    ] = None
    train_normal: Annotated[
        Annotated[int, Field(ge=1)] | None,
        Field(
            description="Where neither table nor names tell train from test: the first n normal clips, by "
            "name, of each machine, section, domain and id are the bank, all others test."
        ),
    ] = None
    target_train_normal: Annotated[
        Annotated[int, Field(ge=1)] | None,
        Field(description="The same number for the target domain. Default: train_normal."),
    ] = None
    source_ids: Annotated[
        Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None,
        Field(
            description="Ids (sections) that together are the source domain of one section 00, for data "
            "without domains such as MIMII; ids in neither list are left out."
        ),
    ] = None
    target_ids: Annotated[
        Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None,
        Field(description="Ids (sections) that together are the target domain."),
    ] = None

    leave_root: Annotated[
        bool,
        Field(
            description="Follow links, and paths of clips.csv such as ../other/a.wav, that lead out of root. "
            "Default: they are an error."
        ),
    ] = False

    def __post_init__(self) -> None:
        require_path(self.folder, "root")
        if self.target_train_normal is not None and self.train_normal is None:
            raise ConfigError(
                "target_train_normal", "is set without train_normal", "Set both, or train_normal alone."
            )
        both = sorted(set(self.source_ids or ()) & set(self.target_ids or ()))
        if both:
            raise ConfigError("target_ids", f"repeats {both} of source_ids", "Name each id once.")
        if self.target_ids and not self.source_ids:
            raise ConfigError("target_ids", "is set without source_ids", "Set both.")

    def root(self, name: str, base: Path) -> Path:
        """The user's own folder."""
        return Path(base) / Path(self.folder).expanduser()

    def machine_names(self, name: str, base: Path) -> list[str]:
        """Machines of the table or the folders, or those of `machines`."""
        return sorted(_planned(self, self._found(base)))

    def source_files(self, name: str, base: Path, machine: str) -> list[str]:
        """Recordings of the machine that are there, and the tables that describe them."""
        found = self._found(base)
        paths = sorted({row.path for row in self._rows(found, machine)})
        if isinstance(found, Table):
            tables = [_clips_csv.NAME]
            paths = [path for path in paths if (found.root / path).is_file()]
        else:
            paths = [path for path in paths if path not in found.absent]
            direct = {PurePosixPath(path).parent for path in paths}
            folders = direct | {folder.parent for folder in direct}
            tables = [table for table, *_ in found.tables if PurePosixPath(table).parent in folders]
        shown = Path(self.folder).expanduser()  # as the user wrote it: relative to the working directory
        return [str(shown / path) for path in [*tables, *paths]]

    def clip_rows(self, name: str, base: Path, machine: str) -> list[ClipRow]:
        """Planned clips; their splits and domains settled by the options."""
        return list(self._rows(self._found(base), machine))

    def clips_table(self, name: str, base: Path, machine: str) -> pa.Table:
        """As of every kind; files beside the clips that are not used are listed in the log."""
        found = self._found(base)
        rows = self._rows(found, machine)
        if isinstance(found, Tree):
            say_unused(found, (row.path for row in rows))
        elif not self.leave_root:
            _require_inside(found.root, rows)
        return super().clips_table(name, base, machine)

    def _found(self, base: Path) -> Table | Tree:
        """What describes the recordings at this moment."""
        root = self.root("", base)
        if self.layout == "clips_csv" or (self.layout == "auto" and (root / _clips_csv.NAME).is_file()):
            return _table(root)
        return scan(root, self.leave_root)

    def _rows(self, found: Table | Tree, machine: str) -> Sequence[ClipRow]:
        """Clips of one machine. Raises ConfigError for one that does not exist or was not chosen."""
        machines = _planned(self, found)
        _require_known("machine", [machine], machines, found.root)
        return machines[machine]

    def _chosen(self, machines: Machines, root: Path) -> Machines:
        """Only the machines and sections asked for. Raises ConfigError for one that does not exist."""
        _require_known("machines", self.machines, machines, root)
        sections = {row.section for rows in machines.values() for row in rows}
        _require_known("sections", self.sections, sections, root)
        chosen = {
            machine: [row for row in rows if self.sections is None or row.section in self.sections]
            for machine, rows in machines.items()
            if self.machines is None or machine in self.machines
        }
        return {machine: rows for machine, rows in chosen.items() if rows}


def _require_known(option: str, wanted: Iterable[str] | None, known: Iterable[str], root: Path) -> None:
    for name in wanted or ():
        if name not in known:
            hint = did_you_mean(name, known)
            raise ConfigError(
                option, f"{name!r} is not in {root}", f"{hint}It has: {', '.join(sorted(known))}."
            )


def _require_inside(root: Path, rows: Sequence[ClipRow]) -> None:
    """Raise DataError for the first listed file that is a link out of the folder, or lies behind one."""
    inside = os.path.realpath(root)
    for path in sorted({row.path for row in rows}):
        if leads_out(root / path, inside):
            raise DataError(
                root / path,
                f"is a link out of {root}, to {os.path.realpath(root / path)}",
                "Set leave_root: true to follow such links, or copy the file.",
            )


def _layout(tree: Tree) -> str:
    """Layout of a tree without clips.csv, from its first recording whose name is understood."""
    for path in tree.audio:
        if _mimii_tree.matches(path):
            return "mimii"
        if understood(path):
            return "dcase"
    first = f", first {tree.audio[0]}" if tree.audio else ""
    raise DataError(
        tree.root,
        f"has no clips.csv, and none of its {len(tree.audio)} recordings has a name of DCASE or MIMII{first}",
        "Describe the recordings by a clips.csv in that folder (docs/own-recordings.md shows one).",
    )


@dataclass(frozen=True)
class Table:
    """A clips.csv with time of change and size: while they stay, it need not be read again."""

    root: Path
    changed_ns: int
    size: int


def _table(root: Path) -> Table:
    try:
        status = (root / _clips_csv.NAME).stat()
    except FileNotFoundError:
        raise DataError(
            root / _clips_csv.NAME, "does not exist", "Write it, or choose another layout."
        ) from None
    return Table(root, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16)
def _planned(dataset: Folder, found: Table | Tree) -> Machines:
    """Clips of every machine; kept while table or tree stay as they are, since the DAG asks often."""
    root = found.root
    if isinstance(found, Table):
        machines = _listed(root, dataset.leave_root)
    else:
        layout = _layout(found) if dataset.layout == "auto" else dataset.layout
        if not found.audio:
            raise DataError(root, "holds no sound files", "Correct root.")
        read = _dcase_tree.clips_of if layout == "dcase" else _mimii_tree.clips_of
        machines = read(found.audio, root)
    machines = dataset._chosen(machines, root)
    if dataset.source_ids:
        machines = as_domains(machines, root, dataset.source_ids, dataset.target_ids or ())
    return with_bank(machines, root, dataset.train_normal, dataset.target_train_normal)


def _listed(root: Path, leave_root: bool) -> Machines:
    machines: dict[str, list[ClipRow]] = defaultdict(list)
    for line in _clips_csv.read(root, leave_root):
        machines[line.machine].append(line.clip)
    return dict(sorted(machines.items()))
