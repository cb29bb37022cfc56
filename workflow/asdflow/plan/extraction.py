"""How the jobs of an extraction are laid out: in how many shards, on which device, with how much memory.

None of this decides a number of a result.
"""

from __future__ import annotations

from asdflow.config import Study
from asdflow.pipeline import build

CPU_MB, GPU_MB = (
    3000,
    8000,
)  # of main memory: a base-size network; CUDA's libraries and larger batches as well
NONE = "(?!)"  # a pattern that nothing matches


class ExtractionPlan:
    """Answers for the rules of rules/features.smk; methods take `wildcards`."""

    def __init__(self, study: Study) -> None:
        self.study, self.shards = study, study.extraction["shards"]
        names = "|".join(study.encoders)
        self.whole, self.split = (NONE, names) if self.shards > 1 else (names, NONE)

    def parts(self, wildcards) -> list[str]:
        """Frames of every shard of a machine, in the order in which they are joined."""
        folder = f"results/shards/{wildcards.dataset}/{wildcards.encoder}/{wildcards.machine}"
        return [f"{folder}/{index}-of-{self.shards}.parquet" for index in range(1, self.shards + 1)]

    def gpu(self, wildcards) -> int:
        """GPUs that a job needs: 1 where the encoder runs on one."""
        return int(self._runs_on(wildcards) == "cuda")

    def mem_mb(self, wildcards) -> int:
        """Main memory of a job."""
        return CPU_MB if self._runs_on(wildcards) == "cpu" else GPU_MB

    def _runs_on(self, wildcards) -> str:
        return build.encoder(self.study.encoders[wildcards.encoder]).runs_on
