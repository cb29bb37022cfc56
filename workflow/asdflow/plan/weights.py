"""The weights that a study's encoders read: where they lie, what they hold, and whether that is accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asdflow import checkpoints
from asdflow.foundation.errors import AsdflowError, ConfigError
from asdflow.pipeline import build
from asdflow.plan.contents import Contents
from asdflow.products.study import Study


class Weights:
    """Weight files of a study.

    Parameters
    ----------
    study : Study
    contents : Contents
        Hashes of files, in the working directory of the study.
    """

    def __init__(self, study: Study, contents: Contents) -> None:
        self.study, self.contents = study, contents

    @property
    def folder(self) -> Path:
        """Where registered weight files lie."""
        return checkpoints.default_folder()

    @staticmethod
    def hub_folder(model: str, revision: str) -> Path:
        """Where a commit of a hub model lies."""
        return checkpoints.hub_folder(model, revision)

    def files(self, wildcards) -> list[str]:
        """Weight files that an encoder reads; none for transforms without weights."""
        return build.encoder(self.study.encoders[wildcards.encoder]).weight_files()

    def own(self, encoder: str) -> list[str]:
        """Files of an encoder that the user brings, not a rule."""
        files = build.encoder(self.study.encoders[encoder]).weight_files()
        return [file for file in files if not Path(file).is_relative_to(self.folder)]

    def hashes(self) -> dict[str, str]:
        """Encoder to the hash of its checkpoint, for the report: as published, or of the user's own file.

        An encoder without a checkpoint, or of one whose hash nobody published, is left out.
        """
        found = {}
        for name, spec in self.study.encoders.items():
            reference = spec.get("checkpoint")
            if reference is None:
                continue
            if str(reference) in checkpoints.names():
                published = checkpoints.checkpoint(str(reference)).published
                found |= {name: " ".join(published)} if published else {}
            else:
                (digest,) = self.contents.sha256([str(checkpoints.path_of(reference))])
                found[name] = f"SHA-256 {digest}"
        return found

    def require(self) -> None:
        """Raise ConfigError for a file that an entry names by its path and that is not there.

        Raises FetchError where it is not a file of known weights and the entry does not accept others, and
        for a registered file on disk with other bytes than were published.
        """
        for name, spec in self.study.encoders.items():
            build.encoder(spec).weight_files()  # a folder of one's own is looked into
            reference = spec.get("checkpoint")
            if reference is None:
                continue
            path = self.contents.base / checkpoints.path_of(reference)
            registered = str(reference) in checkpoints.names()
            if not path.is_file():
                if registered:
                    continue  # a rule fetches it
                raise ConfigError(
                    f"encoders.{name}.checkpoint",
                    f"names {reference}, which does not exist",
                    f"Correct the path, or take a registered name: {', '.join(checkpoints.names())}.",
                )
            (found,) = self.contents.sha256([str(checkpoints.path_of(reference))])
            known = {checkpoints.checkpoint(one).sha256 for one in checkpoints.names()}
            if found in known if not registered else found == checkpoints.checkpoint(str(reference)).sha256:
                continue
            try:  # the full check, with its words
                checkpoints.resolve(
                    reference if registered else path, unverified=bool(spec.get("unverified"))
                )
            except AsdflowError as error:
                where = f"encoders.{name}.checkpoint: {error.where}"
                raise type(error)(where, error.what, error.remedy) from None

    def entry(self, wildcards) -> dict[str, Any]:
        """Name and hash of the checkpoint that a file should be, and whether it may be one without a hash."""
        for name in checkpoints.names():
            entry = checkpoints.checkpoint(name)
            if entry.file == wildcards.file:
                asking = [spec for spec in self.study.encoders.values() if spec.get("checkpoint") == name]
                accepted = entry.published is None and any(spec.get("unverified") for spec in asking)
                return {"name": name, "hash": " ".join(entry.published or ()), "unverified": accepted}
        raise ConfigError(wildcards.file, "is no registered checkpoint", "See `asdflow encoders`.")
