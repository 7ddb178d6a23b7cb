"""Use of an existing tokenizer, of any format, in a work folder."""

from tempfile import TemporaryDirectory

from upath import UPath

from gristmill.pipelines.settings import Settings
from gristmill.pipelines.steps.step import Job, Output, Progress, RawInput, Step, Written, run_serial, run_step
from gristmill.pipelines.storage.files import checksum, to_path
from gristmill.tokenizers_lab.formats.detect import load_any
from gristmill.tokenizers_lab.formats.model import FILE, Model, write_model


class UsedTokenizer(Settings):
    """Settings of an existing tokenizer: a file or a folder that ``gristmill tokenizer import`` reads."""

    use: str
    pretokenizer: str | None = None  # of a .tiktoken file, which does not name it
    special: dict[str, int] = {}  # special tokens of a .tiktoken file, with their ids

    def load(self) -> Model:
        """Return the tokenizer. Raises GristmillError for a file that cannot be read."""
        return load_any(to_path(self.use), self.pretokenizer, dict(self.special))


def use_tokenizer(model: Model, settings: UsedTokenizer, output: UPath, progress: Progress | None = None) -> None:
    """Write ``OUTPUT/gristmill.json``, unless it is there and holds the same tokenizer."""
    with TemporaryDirectory() as scratch:
        write_model(model, to_path(scratch))
        version = checksum(to_path(scratch) / FILE)
    job = Job(_write, (model,), (Output(output, FILE, (RawInput(settings.use, version),)),))
    run_step(Step("import", {output: settings.model_dump(mode="json")}, [job]), run_serial, progress)


def _write(model: Model, outputs: tuple[Output, ...]) -> list[Written]:
    write_model(model, outputs[0].folder)
    return [Written([FILE], {"pieces": model.size, "merges": len(model.merges)})]
