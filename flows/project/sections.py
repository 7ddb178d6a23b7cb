"""Sections of a recipe after the cleaning: tokenizers, token shards, exports, a model, a report.

Each section has the settings of the command that does the same. All are checked before any work begins.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gristmill.flows.clean.recipe import Recipe
from gristmill.flows.tokenize.use_tokenizer import UsedTokenizer
from gristmill.pipelines.errors import RecipeError, naming, nearest, shown
from gristmill.pipelines.schema import DOCUMENTS
from gristmill.pipelines.settings import Settings, check_names, read_settings
from gristmill.pipelines.tokens.encode import TokenizerInfo
from gristmill.pipelines.tokens.export_formats import check_format
from gristmill.pipelines.tokens.settings import ExportSettings, TokenSettings
from gristmill.pipelines.tokens.steps import check_edges
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.train import TokenizerSettings

if TYPE_CHECKING:
    from gristmill.flows.models.pretraining import PretrainSection


class ReportSettings(Settings):
    """Settings of the report."""

    output: str | None = None  # page to write; None: report/index.html in the work folder
    impact: str | None = None  # folder of an experiment to include; None: impact in the work folder, if it exists


@dataclass(frozen=True)
class Sections:
    """Sections of a recipe; a stage that is None is left out."""

    tokenizers: dict[str, TokenizerSettings | UsedTokenizer]
    tokens: TokenSettings | None
    export: ExportSettings | None
    pretrain: "PretrainSection | None"
    report: ReportSettings | None
    models: dict[str, Model] = field(default_factory=dict)  # the tokenizers that exist, loaded

    def vocab_size(self, name: str) -> int:
        """Return the number of pieces of a tokenizer; one to be trained may get fewer, if its settings allow that."""
        settings = self.tokenizers[name]
        return self.models[name].size if isinstance(settings, UsedTokenizer) else settings.vocab_size


def read_sections(recipe: Recipe, where: str) -> Sections:
    """Return the sections of a recipe; ``where`` names its file in error messages.

    Raises RecipeError for an invalid setting, for a section that lacks another one, and for a vocabulary that an export
    format cannot hold; GristmillError for an existing tokenizer that cannot be read.
    """
    named = recipe.tokenizer or {}
    check_names(named, f"{where} [tokenizer]")
    for name, values in named.items():
        if not isinstance(values, dict):
            expected = "expected a table for each tokenizer by a name of yours, such as [tokenizer.bpe]"
            raise RecipeError(f"{where} [tokenizer]: {expected}, found {name} = {shown(values)}")
    tokenizers = {name: _tokenizer(values, f"{where} [tokenizer.{name}]") for name, values in named.items()}
    sections = Sections(
        tokenizers,
        _optional(TokenSettings, recipe.tokens, f"{where} [tokens]"),
        _optional(ExportSettings, recipe.export, f"{where} [export]"),
        _pretrain(recipe.pretrain, f"{where} [pretrain]"),
        _optional(ReportSettings, recipe.report, f"{where} [report]"),
    )
    if sections.export and sections.export.documents and DOCUMENTS in tokenizers:
        raise RecipeError(f"{where} [tokenizer.{DOCUMENTS}]: the export of documents has this name; choose another one")
    token_formats = sections.export.formats if sections.export else []
    for name, wanted in (("export", token_formats), ("pretrain", sections.pretrain)):
        if wanted and sections.tokens is None:
            raise RecipeError(f"{where}: [{name}] needs token shards; add the section [tokens]")
    if sections.tokens and not tokenizers:
        raise RecipeError(f"{where}: [tokens] needs a tokenizer; add a section such as [tokenizer.bpe]")
    for name, settings in tokenizers.items():
        if isinstance(settings, UsedTokenizer):
            with naming(f"{where} [tokenizer.{name}]"):
                model = sections.models[name] = settings.load()
                if sections.tokens:
                    check_edges(TokenizerInfo(model.size, model.role("bos"), model.role("eos"), ""), sections.tokens)
    _check_vocabularies(sections, where)
    return sections


def _check_vocabularies(sections: Sections, where: str) -> None:
    for name in sections.tokenizers if sections.export else ():
        size = sections.vocab_size(name)
        for format in sections.export.formats if sections.export else ():
            with naming(f"{where} [export] of the tokenizer {name}"):
                check_format(format, size, TokenizerInfo(size, None, None, "").dtype)
    if pretrain := sections.pretrain:
        with naming(f"{where} [pretrain]"):
            size = sections.vocab_size(trained_on(sections))
            if not pretrain.init:
                pretrain.shape(size)


def trained_on(sections: Sections) -> str:
    """Return the name of the tokenizer whose tokens the model is trained on. Raises RecipeError if that is open."""
    name = sections.pretrain.tokenizer if sections.pretrain else None
    known = list(sections.tokenizers)
    if name is None and len(known) == 1:
        return known[0]
    if name is None:
        raise RecipeError(f"the recipe has several tokenizers; set tokenizer = {known[0]!r} or another one")
    if name not in known:
        raise RecipeError(f"no tokenizer {name!r} in the recipe; {nearest(name, known)}")
    return name


def _tokenizer(values: dict[str, Any], where: str) -> TokenizerSettings | UsedTokenizer:
    if "use" in values:
        return read_settings(UsedTokenizer, values, where)
    settings = read_settings(TokenizerSettings, values, where)
    with naming(where):
        settings.resolved()
    return settings


def _pretrain(values: dict[str, Any] | None, where: str) -> "PretrainSection | None":
    if values is None:
        return None
    from gristmill.flows.models.pretraining import PretrainSection  # torch takes seconds

    return read_settings(PretrainSection, values, where)


def _optional(kind: Any, values: dict[str, Any] | None, where: str) -> Any:
    return None if values is None else read_settings(kind, values, where)
