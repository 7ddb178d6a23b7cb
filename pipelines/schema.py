"""The Arrow schemas of what lies on disk, and the words for what a folder of shards holds."""

import pyarrow as pa

ID, TEXT, SOURCE = "id", "text", "source"

# Kinds of shards. Those of one part have the same rows in the same order, except spans.
DOCUMENTS, MEASURES, SPANS, DECISIONS = "documents", "measures", "spans", "decisions"

# Every other column of the input follows these three, in alphabetical order, untouched.
DOCUMENT = pa.schema([(ID, pa.large_string()), (TEXT, pa.large_string()), (SOURCE, pa.large_string())])

# Why a rule would remove a document: the measured value and the threshold that it violates.
VIOLATION = pa.struct([("rule", pa.string()), ("value", pa.float64()), ("threshold", pa.float64())])

# One row per document, in the order of the documents' shard. A document without violations is kept.
# Deduplication steps add the document that it duplicates, and their similarity.
DECISION = pa.schema(
    [
        (ID, pa.large_string()),
        ("violations", pa.list_(VIOLATION)),
        ("duplicate_of", pa.large_string()),
        ("similarity", pa.float64()),
    ]
)

# One row per rewritten span, ordered by (row, offset), never overlapping: bytes offset:offset + length of
# document ``row`` of the shard, as the step found it, became ``replacement``.
SPAN = pa.schema(
    [
        ("row", pa.int64()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("reason", pa.string()),
        ("replacement", pa.large_string()),
    ]
)
