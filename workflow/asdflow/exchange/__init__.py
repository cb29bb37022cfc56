"""Exchange with the field: score files of the DCASE evaluators; does not know how scores were made.

A system is a folder of `anomaly_score_<machine>_section_<nn>_test.csv` files, each line `file,score` without
a header, and optionally of `decision_result_<machine>_section_<nn>_test.csv` files, each line `file,0` or
`file,1`. Older years left out `_test` (2022), named the domain before it (`_source_test`, 2021) or wrote `id`
for `section` (2020); these are read too.
"""

from asdflow.exchange.evaluating import Evaluation, evaluate_folder
from asdflow.exchange.labelling import (
    Clip,
    clips_of_list,
    clips_of_names,
    clips_of_table,
    labels_from,
    short_names,
)
from asdflow.exchange.printing import differences, machine_tables, write_long_table
from asdflow.exchange.reading import Submission, read_folder
from asdflow.exchange.writing import Written, write_system

__all__ = [
    "Clip",
    "Evaluation",
    "Submission",
    "Written",
    "clips_of_list",
    "clips_of_names",
    "clips_of_table",
    "differences",
    "evaluate_folder",
    "labels_from",
    "machine_tables",
    "read_folder",
    "short_names",
    "write_long_table",
    "write_system",
]
