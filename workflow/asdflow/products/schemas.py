"""The products of the study: every Parquet file's columns, types, units, shapes and nulls, declared once.

Data flow: clips -> frames -> embeddings -> distances -> scores -> fusion (same schema) -> metrics.
A column is required (no nulls) unless it says `optional`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

WORD = pa.string()
MAP = pa.map_(pa.string(), pa.string())


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type, what it means, its unit, and what its values may be."""

    name: str
    type: pa.DataType
    meaning: str
    unit: str = ""
    optional: bool = False
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    finite: bool = True

    def field(self) -> pa.Field:
        """Arrow field; unit and meaning travel with the file."""
        metadata = {"meaning": self.meaning} | ({"unit": self.unit} if self.unit else {})
        return pa.field(self.name, self.type, nullable=self.optional, metadata=metadata)


@dataclass(frozen=True)
class Schema:
    """One kind of product. Rows are sorted by `key`, and no two rows share it.

    Of two columns that are called `either`, every row has exactly one.
    """

    kind: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    either: tuple[str, str] | None = None

    def arrow(self, widths: dict[str, int] | None = None) -> pa.Schema:
        """Arrow schema; `widths` fixes the length of vector columns, e.g. {"values": 768}."""
        fields = []
        for column in self.columns:
            field = column.field()
            if widths and column.name in widths:
                field = field.with_type(pa.list_(column.type.value_type, widths[column.name]))
            fields.append(field)
        return pa.schema(fields)

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)


DOMAIN = ("source", "target")
LABEL = ("normal", "anomaly")
SPLIT = ("train", "test", "supplemental")

_UNIT = (
    Column("machine", WORD, "machine type"),
    Column("section", WORD, "section: one bank and one AUC each; '00' where a data set has no sections"),
)
_CLIP = Column(
    "clip", WORD, "identity within the data set: path without suffix, '#start' added for a segment"
)
_DOMAIN = Column("domain", WORD, "null where a data set has no domains", optional=True, values=DOMAIN)
_SPLIT = Column("split", WORD, "train clips are the bank", values=SPLIT)
_LABEL = Column("label", WORD, "null where unknown", optional=True, values=LABEL)
_RECORDING = Column(
    "recording", WORD, "clips of one recording are not independent; intervals resample recordings"
)

CLIPS = Schema(
    "clips",
    (
        *_UNIT,
        _CLIP,
        Column(
            "path",
            WORD,
            "audio file, relative to the root of the data set, '/' between folders; this and all that is "
            "measured in it is null where vectors were given instead of sound",
            optional=True,
        ),
        Column("start_s", pa.float64(), "where the clip starts in the file", "s", True, low=0.0),
        Column("duration_s", pa.float64(), "how long it is", "s", True, low=0.0),
        _DOMAIN,
        _SPLIT,
        _LABEL,
        _RECORDING,
        Column("attributes", MAP, "operating conditions from file name or attributes_00.csv"),
        Column("sample_rate", pa.int32(), "of the file", "Hz", True, low=1),
        Column("channels", pa.int32(), "of the file", optional=True, low=1),
        Column("samples", pa.int64(), "of the clip, at the file's rate", optional=True, low=1),
        Column("sha256", WORD, "of the file's bytes", optional=True),
        Column("peak", pa.float64(), "largest magnitude, full scale 1", optional=True, low=0.0),
        Column("rms", pa.float64(), "root mean square, full scale 1", optional=True, low=0.0),
        Column("warnings", pa.list_(pa.string()), "what is odd about the clip though it can be used"),
    ),
    key=("machine", "section", "clip"),
)

FRAMES = Schema(
    "frames",
    (
        Column("clip", WORD, _CLIP.meaning),
        Column("layer", WORD, "layer of the encoder"),
        Column("time", pa.int32(), "time steps", low=1),
        Column("bands", pa.int32(), "frequency bands", low=1),
        Column("channels", pa.int32(), "feature channels", low=1),
        Column("values", pa.large_list(pa.float32()), "time x bands x channels, in C order"),
    ),
    key=("clip", "layer"),
)

EMBEDDINGS = Schema(
    "embeddings",
    (
        *_UNIT,
        _CLIP,
        _SPLIT,
        _DOMAIN,
        Column("values", pa.list_(pa.float32()), "the clip's vector; one length in a file"),
    ),
    key=("section", "clip"),
)

DISTANCES = Schema(
    "distances",
    (
        *_UNIT,
        _CLIP,
        _SPLIT,
        Column(
            "values",
            pa.large_list(pa.float64()),
            "distance to each train clip of the section, in the order of clip",
        ),
    ),
    key=("section", "clip"),
)

_REFUSED = Column(
    "refused", WORD, "why there is no number: what the detector cannot do with these data", optional=True
)

SCORES = Schema(
    "scores",
    (
        Column("detector", WORD, "entry of the configuration; of a fusion's table, the fusion"),
        *_UNIT,
        _CLIP,
        _SPLIT,
        _DOMAIN,
        _LABEL,
        _RECORDING,
        Column(
            "score",
            pa.float64(),
            "larger is more anomalous; for train clips the leave-one-out self-score",
            optional=True,
        ),
        _REFUSED,
    ),
    key=("detector", "machine", "section", "split", "clip"),
    either=("score", "refused"),
)

METRICS = Schema(
    "metrics",
    (
        Column("dataset", WORD, "entry of the configuration"),
        Column("encoder", WORD, "entry of the configuration"),
        Column("layer", WORD, "layer of the encoder"),
        Column("pooling", WORD, "entry of the configuration"),
        Column("system", WORD, "detector or fusion, entry of the configuration"),
        Column("kind", WORD, "what the system is", values=("detector", "fusion")),
        Column("machine", WORD, "machine type, or 'all'"),
        Column("section", WORD, "section, or 'all'"),
        Column("metric", WORD, "auc_source, auc_target, pauc, official, ..."),
        Column("value", pa.float64(), "in [0, 1]", optional=True, low=0.0, high=1.0),
        Column("low", pa.float64(), "lower end of the interval", optional=True, low=0.0, high=1.0),
        Column("high", pa.float64(), "upper end of the interval", optional=True, low=0.0, high=1.0),
        Column("confidence", pa.float64(), "coverage of the interval", low=0.0, high=1.0),
        Column("normal", pa.int32(), "normal test clips behind the value", low=0),
        Column("anomaly", pa.int32(), "anomalous test clips behind the value", low=0),
        Column("units", pa.int32(), "independent units that the interval resamples", low=0),
        Column(
            "refused",
            WORD,
            "why there is no value: what the detector cannot do with these data, or test clips lack; "
            "one row a section, and one of machine and section 'all' where a system has no value at all",
            optional=True,
        ),
    ),
    key=("dataset", "encoder", "layer", "pooling", "kind", "system", "machine", "section", "metric"),
    either=("value", "refused"),
)

SCHEMAS = {schema.kind: schema for schema in (CLIPS, FRAMES, EMBEDDINGS, DISTANCES, SCORES, METRICS)}
