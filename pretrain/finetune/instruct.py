"""Instruction fine-tuning: the next token of answers, and answers to held-out prompts."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import orjson
from pydantic import Field
from upath import UPath

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import Settings
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.storage.manifest import fingerprint
from gristmill.pretrain.data.batches import TokenSplit
from gristmill.pretrain.evaluation.generate import Sampling, respond
from gristmill.pretrain.model.devices import ProcessGroup
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.model.loss import LanguageModel
from gristmill.pretrain.training.objective import TokenObjective
from gristmill.pretrain.training.trainer import TrainSettings

RESPONSES = "responses.jsonl"


class InstructSettings(Settings):
    """Settings of instruction fine-tuning."""

    template: str = "plain"  # chat template: a shipped one, or a file of Jinja
    loss: Literal["answers", "all"] = "answers"  # tokens that the model learns
    validation: float = Field(default=0.1, gt=0, lt=0.5)  # share of the records for the validation loss
    held_out: float = Field(default=0.1, gt=0, lt=0.5)  # share of the records that are answered in the end
    responses: int = Field(default=50, ge=0)  # maximum of held-out records that are answered


class Question(NamedTuple):
    """Held-out record: the conversation up to its last answer."""

    id: str
    prompt: str  # last turn before the answer
    reference: str  # the answer in the record
    ids: list[int]  # of the whole conversation


def instruct_split(tokens: Ragged, learned: np.ndarray, vocab_size: int, bos: int | None, name: str) -> TokenSplit:
    """Return conversations as documents to train on, each with BOS if the tokenizer has it.

    Raises InputError if there is nothing to learn.
    """
    if not learned.any():
        raise InputError(f"too few records: no answer among {tokens.rows:,} of the split {name!r}; give more records")
    ids, begins = tokens.data, tokens.offsets[:-1]
    if bos is not None:
        ids, learned = np.insert(ids, begins, bos), np.insert(learned, begins, False)
    ends = tokens.offsets[1:] + (bos is not None) * np.arange(1, tokens.rows + 1)
    bits = np.packbits(learned, bitorder="little")
    return TokenSplit(
        payloads=(ids,),
        ends=ends,
        bytes=np.zeros(tokens.rows, np.int64),
        vocab_size=vocab_size,
        learned=(bits,),
        bos=bos,
        name=f"the records of {name}",
        fingerprint=fingerprint(ids.tolist(), ends.tolist(), bits.tolist()),
    )


class InstructObjective(TokenObjective):
    """Prediction of the tokens of answers. `finish` answers held-out prompts, greedily."""

    def __init__(
        self,
        splits: dict[str, TokenSplit],
        questions: Sequence[Question],
        end: list[int],
        decode: Callable[[list[int]], str],
        model: LanguageModel,
        training: TrainSettings,
        sampling: Sampling,
    ):
        super().__init__(splits["train"], splits["validation"], model, training)
        self.questions, self.end, self.decode, self.sampling = questions, end, decode, sampling
        asked = fingerprint([question._asdict() for question in questions], end)
        self.settings |= {"questions": asked, "sample": sampling.model_dump(mode="json")}

    def finish(self, model: LanguageModel, folder: UPath, world: ProcessGroup) -> tuple[dict, list[str]]:
        assert isinstance(model, GPT)
        if world.rank == 0:
            with atomic_write(folder / RESPONSES) as file:
                for question in self.questions:
                    written = [*respond(model, question.ids, self.end, self.sampling)]
                    line = {"id": question.id, "prompt": question.prompt, "reference": question.reference}
                    file.write(orjson.dumps({**line, "response": self.decode(written)}) + b"\n")
        return {"responses": len(self.questions)}, [RESPONSES]
