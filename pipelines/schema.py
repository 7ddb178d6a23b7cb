"""The Arrow schemas of what lies on disk, and the words for what a folder of shards holds."""

import pyarrow as pa

ID, TEXT, SOURCE = "id", "text", "source"

# Kinds of shards. Those of one part have the same rows in the same order, except spans.
DOCUMENTS, MEASURES, SPANS, DECISIONS = "documents", "measures", "spans", "decisions"

# Every other column of the input follows these three, in alphabetical order, untouched.
DOCUMENT = pa.schema([(ID, pa.large_string()), (TEXT, pa.large_string()), (SOURCE, pa.large_string())])

# Why a rule would remove a document: the measured value against the threshold it broke.
BROKEN = pa.struct([("rule", pa.string()), ("value", pa.float64()), ("threshold", pa.float64())])

# One row a document, in the order of the documents' shard. No broken rule: the document stays.
# Steps that need the whole corpus add which document it duplicates, and how nearly.
DECISION = pa.schema(
    [
        (ID, pa.large_string()),
        ("broken", pa.list_(BROKEN)),
        ("duplicate_of", pa.large_string()),
        ("similarity", pa.float64()),
    ]
)

# One row a rewritten span, ordered by (row, offset), never overlapping: bytes offset:offset + length of
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
