"""The GPT of pretrain/model/gpt.py for one sequence, in float64: loops over positions and heads, no caches."""

import math

import torch


def norm(shape, weights, name, x):
    if shape.norm == "rms":
        return x / (x.square().mean() + shape.norm_eps).sqrt() * weights[f"{name}.weight"]
    centred = x - x.mean()
    bias = weights.get(f"{name}.bias", 0.0)
    return centred / (centred.square().mean() + shape.norm_eps).sqrt() * weights[f"{name}.weight"] + bias


def linear(weights, name, x):
    return weights[f"{name}.weight"] @ x + weights.get(f"{name}.bias", 0.0)


def activation(kind, x):
    return {
        "gelu": lambda: x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        "geglu": lambda: x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        "gelu-erf": lambda: x / 2 * (1 + torch.erf(x / math.sqrt(2))),
        "relu": lambda: torch.clamp(x, min=0),
        "relu2": lambda: torch.clamp(x, min=0) ** 2,
        "swiglu": lambda: x / (1 + torch.exp(-x)),
    }[kind]()


def rope(shape, x, position):
    """RoFormer, equation 34, with the pairs (i, i + C/2) as Llama has them."""
    half, turned = shape.head_dim // 2, x.clone()
    for i in range(half):
        angle = position * shape.rope_theta ** (-2 * i / shape.head_dim)
        turned[i] = x[i] * math.cos(angle) - x[i + half] * math.sin(angle)
        turned[i + half] = x[i + half] * math.cos(angle) + x[i] * math.sin(angle)
    return turned


def alibi_slope(head, heads):
    """The paper's code: powers of 2^(-8/n); for other n those of the power below, then every second of that above."""

    def powers(n):
        first = 2 ** (-(2 ** -(math.log2(n) - 3)))
        return [first * first**i for i in range(n)]

    if math.log2(heads).is_integer():
        return powers(heads)[head]
    below = 2 ** math.floor(math.log2(heads))
    return (powers(below) + powers(2 * below)[0::2][: heads - below])[head]


def relative_bucket(offset, causal):
    """The paper's 2.1: half of the buckets hold one distance each, the others grow up to 128; one set per direction."""
    count, distance = (32, max(0, -offset)) if causal else (16, abs(offset))
    if distance < count // 2:
        bucket = distance
    else:
        share = math.log(distance / (count // 2)) / math.log(128 / (count // 2))
        bucket = min(count - 1, count // 2 + math.floor(share * (count // 2) + 1e-9))
    return bucket + 16 * (offset > 0 and not causal)


def sinusoid(position, width):
    """Vaswani and others, 3.5."""
    angles = [position / 10000 ** (2 * (i // 2) / width) for i in range(width)]
    return torch.tensor([math.cos(a) if i % 2 else math.sin(a) for i, a in enumerate(angles)], dtype=torch.float64)


def logits(shape, weights, ids, prefix=0):
    """Token ids, of which the first ``prefix`` see each other both ways -> [T, V]."""
    weights = {name: weight.detach().double() for name, weight in weights.items()}
    xs = [weights["embedding.weight"][i] for i in ids]
    if shape.position_encoding == "learned":
        xs = [x + weights["learned.weight"][p] for p, x in enumerate(xs)]
    if shape.position_encoding == "sinusoidal":
        xs = [x * math.sqrt(shape.d_model) + sinusoid(p, shape.d_model) for p, x in enumerate(xs)]
    if shape.embedding_norm:
        xs = [norm(shape, weights, "embedding_norm", x) for x in xs]
    for layer in range(shape.n_layers):
        block = f"blocks.{layer}"
        if shape.norm_position == "pre":
            normed = [norm(shape, weights, f"{block}.attention_norm", x) for x in xs]
            mixed = attention(shape, weights, block, normed, prefix)
            xs = [x + m for x, m in zip(xs, mixed, strict=True)]
            xs = [x + mlp(shape, weights, f"{block}.mlp", norm(shape, weights, f"{block}.mlp_norm", x)) for x in xs]
        else:
            scale = (2 * shape.n_layers) ** 0.25 if shape.norm_position == "deep" else 1
            mixed = attention(shape, weights, block, xs, prefix)
            xs = [scale * x + m for x, m in zip(xs, mixed, strict=True)]
            xs = [norm(shape, weights, f"{block}.attention_norm", x) for x in xs]
            xs = [scale * x + mlp(shape, weights, f"{block}.mlp", x) for x in xs]
            xs = [norm(shape, weights, f"{block}.mlp_norm", x) for x in xs]
    xs = [norm(shape, weights, "norm", x) for x in xs] if shape.norm_position == "pre" else xs
    bias = torch.zeros(shape.vocab_size)
    if shape.mlm_head:
        xs = [activation(shape.mlp, linear(weights, "mlm_head.dense", x)) for x in xs]
        xs, bias = [norm(shape, weights, "mlm_head.norm", x) for x in xs], weights["mlm_head.bias"][: shape.vocab_size]
    head = weights["embedding.weight" if shape.tie_embeddings else "head.weight"][: shape.vocab_size]
    return torch.stack([head @ x + bias for x in xs])


def attention(shape, weights, block, xs, prefix):
    width, keys = shape.head_dim, shape.key_heads
    qkv = [linear(weights, f"{block}.attention.qkv", x) for x in xs]
    outputs = [[] for _ in xs]
    for head in range(shape.n_heads):
        shared = head * keys // shape.n_heads
        queries = [x[head * width : (head + 1) * width] for x in qkv]
        begin = shape.d_model + shared * width
        seen = [x[begin : begin + width] for x in qkv]
        values = [x[begin + keys * width : begin + (keys + 1) * width] for x in qkv]
        if shape.qk_norm:
            queries, seen = (
                [v / (v.square().mean() + shape.norm_eps).sqrt() for v in some] for some in (queries, seen)
            )
        if shape.position_encoding == "rope":
            queries, seen = ([rope(shape, v, p) for p, v in enumerate(some)] for some in (queries, seen))
        for i, query in enumerate(queries):
            visible = [j for j in range(len(xs)) if j <= i or j < prefix or not shape.causal]
            visible = [j for j in visible if not shape.window or abs(i - j) < shape.window]
            scores = torch.stack([query @ seen[j] / math.sqrt(width) for j in visible])
            if shape.position_encoding == "alibi":
                slope = alibi_slope(head, shape.n_heads)
                scores = scores - torch.tensor([slope * abs(i - j) for j in visible], dtype=torch.float64)
            if shape.position_encoding == "relative":
                buckets = [relative_bucket(j - i, shape.causal) for j in visible]
                scores = scores + weights["relative.weight"][buckets, head]
            chances = scores.softmax(0)
            outputs[i].append(sum(chance * values[j] for chance, j in zip(chances, visible, strict=True)))
    return [linear(weights, f"{block}.attention.out", torch.cat(parts)) for parts in outputs]


def mlp(shape, weights, name, x):
    if f"{name}.router.weight" in weights:
        chances = (weights[f"{name}.router.weight"] @ x).softmax(0)
        best = chances.argsort(descending=True)[: shape.experts_per_token]
        total = sum(chances[e] for e in best) if len(best) > 1 else 1
        return sum(chances[e] / total * mlp(shape, weights, f"{name}.experts.{e}", x) for e in best)
    up = linear(weights, f"{name}.up", x)
    if shape.mlp in ("swiglu", "geglu"):
        gate, value = up.chunk(2)
        return linear(weights, f"{name}.down", activation(shape.mlp, gate) * value)
    return linear(weights, f"{name}.down", activation(shape.mlp, up))
