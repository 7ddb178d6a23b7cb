"""Arrow schemas of the shards on disk, and the kinds of shards."""

from typing import Literal

import pyarrow as pa

ID, TEXT, SOURCE = "id", "text", "source"
CLUSTER_SIZE, COPY_SOURCES = "cluster_size", "copy_sources"  # of the columns that a recipe can add to clean documents

# Records with roles: a column of lists of messages, Alpaca's instruction, input and output, or prompt and completion.
Records = Literal["messages", "conversations", "alpaca", "prompt"]
TURNS = "turns"  # column of documents with roles: the bytes of the text that each one wrote
TURN_LIST = pa.list_(pa.struct([("role", pa.string()), ("start", pa.int64()), ("end", pa.int64())]))

DECLARED = "declared_language"  # column of documents of an input whose settings name its language
LANGUAGE = "language"  # what a step may provide to later steps: the label that chooses a document's profile

# Kinds of shards. All kinds except spans and links have the same rows in the same order in one part.
DOCUMENTS, MEASURES, SPANS, DECISIONS, LINKS = "documents", "measures", "spans", "decisions", "links"
COLUMN_SPANS = "column_spans"  # spans in carried columns
COPIES, COLUMNS = "copies", "columns"  # columns: any table from which apply adds some to clean documents

# Every other column of the input follows these three, in alphabetical order, untouched.
DOCUMENT = pa.schema([(ID, pa.large_string()), (TEXT, pa.large_string()), (SOURCE, pa.large_string())])

# Why a rule would remove a document: the measured value and the threshold that it violates.
VIOLATION = pa.struct([("rule", pa.string()), ("value", pa.float64()), ("threshold", pa.float64())])

# One row per document, in the order of the documents' shard. A document without violations is kept.
# Deduplication steps add the document that they kept for it, whether that is one of an index, and their similarity,
# by words and, where it decides, with marks of punctuation, too.
DECISION = pa.schema(
    [
        (ID, pa.large_string()),
        ("violations", pa.list_(VIOLATION)),
        ("duplicate_of", pa.large_string()),
        ("in_index", pa.bool_()),
        ("similarity", pa.float64()),
        ("mark_similarity", pa.float64()),
    ]
)

# One row per removed duplicate that a kept document stands for.
LINK = pa.schema([("row", pa.int64()), ("duplicate_of", pa.large_string()), ("in_index", pa.bool_())])

# One row per document: how many it stands for, itself included, and the sources of its copies, each once, ascending.
COPY_COUNTS = pa.schema([(CLUSTER_SIZE, pa.int64()), (COPY_SOURCES, pa.large_list(pa.large_string()))])

# One row per rewritten span, ordered by (row, offset), without overlaps. The step replaced bytes offset:offset + length
# of its input document ``row`` of the shard by ``replacement``.
SPAN = pa.schema(
    [
        ("row", pa.int64()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("reason", pa.string()),
        ("replacement", pa.large_string()),
    ]
)

# One row per span that is rewritten in another column than the text, ordered by (column, row, offset).
COLUMN_SPAN = pa.schema([("column", pa.string()), *SPAN])
