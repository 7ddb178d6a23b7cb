"""The packings on lists of tokens: every row as the tokens it holds, T + 1 at most."""


def windows(tokens, context):
    return [tokens[at : at + context + 1] for at in range(0, len(tokens) - 1, context)]


def stream(documents, context):
    return windows([token for document in documents for token in document], context)


def pad(documents, context):
    return [row for document in documents for row in windows(document, context)]


def bos_bestfit(documents, context, waiting):
    """Rows of T + 1: the first of the longest that fit, or of the shortest, cut. The last row must be full."""
    line, rows, row = [document for document in documents if document], [], []
    while line:
        seen, room = line[:waiting], context + 1 - len(row)
        fitting = [document for document in seen if len(document) <= room]
        taken = max(fitting, key=len) if fitting else min(seen, key=len)
        line.pop(next(i for i, document in enumerate(line) if document is taken))
        row = row + taken[:room]
        if len(row) == context + 1:
            rows.append(row)
            row = []
    return rows


def whole(documents, context, waiting):
    """Rows of sequences that predict T tokens at most: the longest that fits joins the row, or a new row begins."""
    line, rows, row = [piece for document in documents for piece in windows(document, context)], [], []
    while line:
        room = context - sum(len(sequence) - 1 for sequence in row)
        fitting = [sequence for sequence in line[:waiting] if len(sequence) - 1 <= room]
        if not fitting:
            rows.append(row)
            row = []
            continue
        taken = max(fitting, key=len)
        line.pop(next(i for i, sequence in enumerate(line) if sequence is taken))
        row.append(taken)
        if room == len(taken) - 1:
            rows.append(row)
            row = []
    return [*rows, row] if row else rows
