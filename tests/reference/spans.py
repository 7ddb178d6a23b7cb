"""Span corruption, token by token, and back."""


def corrupt(ids, spans, gaps, sentinels):
    """Walk over gap, span, gap, …: tokens of gaps are inputs, those of spans targets, each span behind its sentinel."""
    left, inputs, targets = list(ids), [], []
    for number, gap in enumerate(gaps):
        for _ in range(gap):
            inputs.append(left.pop(0))
        targets.append(sentinels[number])
        if number < len(spans):
            inputs.append(sentinels[number])
            for _ in range(spans[number]):
                targets.append(left.pop(0))
    assert not left
    return inputs, targets


def restore(inputs, targets, sentinels):
    """Put what follows a sentinel in the targets where that sentinel is in the inputs."""
    spans, names = {}, set(sentinels)
    for token in targets:
        if token in names:
            spans[token] = span = []
        else:
            span.append(token)
    return [each for token in inputs for each in (spans[token] if token in names else [token])]
