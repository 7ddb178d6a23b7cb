"""Text generation: greedy, sampled, or by beam search, with a KV cache."""

from collections.abc import Iterator
from typing import Annotated, Any

import torch
from pydantic import BeforeValidator, Field
from torch import Tensor

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import Settings
from gristmill.pretrain.model.encoder_decoder import START, EncoderDecoder
from gristmill.pretrain.model.gpt import GPT, Cache


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Sampling(Settings):
    """Settings of generation. top_k is applied first, then top_p to the remaining tokens."""

    max_new_tokens: int = Field(default=100, ge=1)  # maximum, without the prompt
    temperature: float = Field(default=1.0, ge=0)  # 0: greedy
    top_k: int | None = Field(default=None, ge=1)  # keep the k likeliest tokens
    top_p: float = Field(default=1.0, gt=0, le=1)  # keep the likeliest tokens of this total probability (1904.09751)
    num_beams: int = Field(default=1, ge=1)  # above 1: beam search with this many candidates
    # Tokens that end the text and are left out of it; TOML and --set give lists.
    stop_tokens: Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_as_tuple)] = ()
    seed: int = Field(default=0, ge=0, lt=2**63)


def filter_logits(logits_BV: Tensor, sampling: Sampling) -> Tensor:
    """Apply temperature, top_k and top_p to logits [B, V]: dropped tokens become -inf. The likeliest always stays."""
    logits_BV = logits_BV.float() / sampling.temperature
    if sampling.top_k and sampling.top_k < logits_BV.shape[-1]:
        kth_B1 = logits_BV.topk(sampling.top_k).values[:, -1:]
        logits_BV = logits_BV.masked_fill(logits_BV < kth_B1, -torch.inf)
    if sampling.top_p < 1:
        sorted_BV, order_BV = logits_BV.sort(descending=True)
        probs_BV = sorted_BV.softmax(-1)
        before_BV = probs_BV.cumsum(-1) - probs_BV  # a token stays while more likely ones sum to less than top_p
        dropped_BV = torch.zeros_like(before_BV, dtype=torch.bool).scatter(1, order_BV, before_BV >= sampling.top_p)
        logits_BV = logits_BV.masked_fill(dropped_BV, -torch.inf)
    return logits_BV


class Decoder:
    """Incremental decoder: ``copies`` continuations of one prompt, with the logits of the next token of each.

    When the context is full, the older half is dropped and the newer half is read again from position 0.
    """

    def __init__(self, model: GPT | EncoderDecoder, prompt: list[int], copies: int):
        if not model.shape.causal:
            raise RecipeError("a masked language model (causal = false) cannot continue text")
        self.copies, self.memory, prompt_T = copies, None, torch.tensor(prompt, device=model.output.device)
        if isinstance(model, EncoderDecoder):  # the encoder reads the prompt
            if (size := len(prompt)) > model.shape.context:
                raise RecipeError(f"the text has {size:,} tokens, expected at most {model.shape.context:,}: shorten it")
            self.memory, prompt_T, model = (
                model.encode(prompt_T[None]),
                torch.full_like(prompt_T[:1], START),
                model.decoder,
            )
        self.model, self.seen_BT = model, prompt_T.expand(copies, -1)
        self._read(self.seen_BT[:, -model.shape.context :])

    def _read(self, ids_BT: Tensor) -> None:
        prefix = self.model.prefix.size if self.model.prefix is not None else 0
        self.cache = Cache(self.model.shape, self.copies, self.model.embedding.weight, prefix)
        self._step(ids_BT)

    def _step(self, ids_BT: Tensor) -> None:
        is_prompt = self.model.shape.prefix_decoder and not self.cache.length
        prefix_BT = torch.ones_like(ids_BT, dtype=torch.bool) if is_prompt else None
        hidden_BTD = self.model.hidden(ids_BT, cache=self.cache, prefix_BT=prefix_BT, memory=self.memory)
        self.logits_BV = self.model.logits(hidden_BTD[:, -1])

    def add(self, next_B: Tensor) -> None:
        """Append the next token of each copy, int64[B], and compute new logits."""
        self.seen_BT = torch.cat((self.seen_BT, next_B[:, None]), 1)
        if self.cache.full:
            self._read(self.seen_BT[:, -max(1, self.model.shape.context // 2) :])
        else:
            self._step(next_B[:, None])

    def reorder(self, rows: Tensor) -> None:
        """Keep these copies, in this order."""
        self.seen_BT, self.logits_BV = self.seen_BT[rows], self.logits_BV[rows]
        self.cache.reorder(rows)


def generate(model: GPT | EncoderDecoder, prompt: list[int], sampling: Sampling, copies: int = 1) -> list[list[int]]:
    """Return ``copies`` continuations of a prompt as lists of ids, without the prompt and the stop token.

    Raises RecipeError if the prompt is empty, or if the prompt or a stop token is not in the vocabulary.
    """
    if sampling.num_beams > 1:
        _check(model, prompt, sampling)
        return [beam_search(model.eval(), prompt, sampling)[0]] * copies
    written: list[list[int]] = [[] for _ in range(copies)]
    ended = [False] * copies
    for tokens in sample_tokens(model, prompt, sampling, copies):
        for i, token in enumerate(tokens):
            ended[i] = ended[i] or token in sampling.stop_tokens
            if not ended[i]:
                written[i].append(token)
        if all(ended):
            break
    return written


def respond(model: GPT, prompt: list[int], end: list[int], sampling: Sampling) -> Iterator[int]:
    """Yield the tokens of an answer as they are drawn, up to the sequence ``end`` or a stop token."""
    held: list[int] = []  # may begin the end
    for (token,) in sample_tokens(model, prompt, sampling, 1):
        held.append(token)
        if held == end:
            return
        if token in sampling.stop_tokens:
            held.pop()
            break
        while held and held != end[: len(held)]:
            yield held.pop(0)
    yield from held


def _check(model: GPT | EncoderDecoder, prompt: list[int], sampling: Sampling) -> None:
    if not prompt:
        raise RecipeError("the prompt is empty; begin with a token, such as BOS")
    for name, ids in (("the prompt", prompt), ("sample.stop_tokens", sampling.stop_tokens)):
        if unknown := [token for token in ids if not 0 <= token < model.shape.vocab_size]:
            raise RecipeError(f"{name} holds token {unknown[0]}; expected 0 to {model.shape.vocab_size - 1:,}")


@torch.no_grad()
def sample_tokens(
    model: GPT | EncoderDecoder, prompt: list[int], sampling: Sampling, copies: int
) -> Iterator[list[int]]:
    """Yield the next token of each copy, up to max_new_tokens times. Raises RecipeError as `generate` does."""
    _check(model, prompt, sampling)
    decoder = Decoder(model.eval(), prompt, copies)
    generator = torch.Generator(decoder.logits_BV.device).manual_seed(sampling.seed)
    for _ in range(sampling.max_new_tokens):
        if sampling.temperature:
            probs_BV = filter_logits(decoder.logits_BV, sampling).softmax(-1)
            next_B = torch.multinomial(probs_BV, 1, generator=generator)[:, 0]
        else:
            next_B = decoder.logits_BV.argmax(-1)
        yield next_B.tolist()
        decoder.add(next_B)


@torch.no_grad()
def beam_search(model: GPT | EncoderDecoder, prompt: list[int], sampling: Sampling) -> tuple[list[int], float]:
    """Return the likeliest continuation found with ``num_beams`` candidates, and its log-probability.

    Finished texts compete with unfinished ones by total log-probability, stop token included, without length bonus.
    """
    decoder = Decoder(model, prompt, 1)
    decoder.reorder(torch.zeros(sampling.num_beams, dtype=torch.int64, device=decoder.logits_BV.device))
    scores_B = torch.full((sampling.num_beams,), -torch.inf, device=decoder.logits_BV.device)
    scores_B[0] = 0.0  # all beams are equal at first: only one may branch
    best: list[int] = []
    best_score, length = -torch.inf, decoder.seen_BT.shape[1]
    for _ in range(sampling.max_new_tokens):
        sums_BV = scores_B[:, None] + decoder.logits_BV.float().log_softmax(-1)
        for token in sampling.stop_tokens:
            score, row = sums_BV[:, token].max(0)
            if score > best_score:
                best, best_score = decoder.seen_BT[row, length:].tolist(), score.item()
            sums_BV[:, token] = -torch.inf
        scores_B, flat = sums_BV.flatten().topk(sampling.num_beams)
        if scores_B[0] <= best_score:  # probabilities only fall as a text grows
            return best, best_score
        decoder.reorder(flat // sums_BV.shape[1])
        decoder.add(flat % sums_BV.shape[1])
    return decoder.seen_BT[0, length:].tolist(), scores_B[0].item()
