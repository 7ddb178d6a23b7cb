"""Registry of the filters that a recipe can name, and of the variants that others define."""

from gristmill.filters.classifier.filter import Classifier
from gristmill.filters.core.filter import Filter
from gristmill.filters.join.step import Join
from gristmill.filters.langid.filter import Language
from gristmill.filters.perplexity.filter import Perplexity
from gristmill.filters.pii.filter import PiiFilter
from gristmill.filters.rules.c4 import C4
from gristmill.filters.rules.code import Code
from gristmill.filters.rules.fineweb import FineWeb
from gristmill.filters.rules.gopher import Gopher
from gristmill.filters.rules.keywords import Keywords
from gristmill.filters.rules.noise import Noise
from gristmill.filters.rules.repetition import Repetition
from gristmill.filters.rules.variants.datatrove.c4 import DatatroveC4, FineWebC4
from gristmill.filters.rules.variants.datatrove.fineweb import DatatroveFineWeb, FineWebPaper
from gristmill.filters.rules.variants.datatrove.gopher import DatatroveGopher
from gristmill.filters.rules.variants.datatrove.repetition import DatatroveRepetition
from gristmill.filters.rules.variants.dclm import DclmGopher, DclmRepetition
from gristmill.filters.rules.variants.dolma import DolmaGopher, DolmaRepetition
from gristmill.filters.rules.variants.nemo_curator import NemoGopher, NemoRepetition
from gristmill.filters.rules.variants.paper import PaperGopher, PaperRepetition
from gristmill.filters.rules.variants.redpajama_v2 import Rpv2Gopher, Rpv2Repetition
from gristmill.pipelines.errors import RecipeError

KINDS = (
    *(Language, Code, C4, Gopher, Repetition, FineWeb, Noise, Keywords),
    *(Perplexity, Classifier, PiiFilter, Join),
)
FILTERS: dict[str, type[Filter]] = {kind.NAME: kind for kind in KINDS}

VARIANT_KINDS = (
    *(DatatroveGopher, DatatroveRepetition, DatatroveC4, DatatroveFineWeb),
    *(FineWebC4, FineWebPaper),
    *(DolmaGopher, DolmaRepetition, DclmGopher, DclmRepetition),
    *(NemoGopher, NemoRepetition, PaperGopher, PaperRepetition, Rpv2Gopher, Rpv2Repetition),
)
VARIANTS: dict[str, dict[str, type[Filter]]] = {
    name: {kind.model_fields["variant"].default: kind for kind in (FILTERS[name], *VARIANT_KINDS) if name == kind.NAME}
    for name in ("gopher", "repetition", "c4", "fineweb")
}


def variant_of(name: str, variant: str, where: str) -> type[Filter]:
    """Return the filter ``name`` as ``variant`` defines it. Raises RecipeError for an unknown variant."""
    variants = VARIANTS.get(name, {})
    if not isinstance(variant, str) or variant not in variants:
        known = f"; it has {', '.join(sorted(variants))}" if variants else ""
        raise RecipeError(f"{where}: {name} has no variant {variant!r}{known}")
    return variants[variant]
