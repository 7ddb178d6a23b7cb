"""Every filter a recipe can name, and the variants of those that others have defined otherwise."""

from filters.c4 import C4
from filters.classifier import Classifier
from filters.filter import Filter
from filters.fineweb import FineWeb
from filters.gopher import Gopher
from filters.keywords import Keywords
from filters.language import Language
from filters.noise import Noise
from filters.perplexity import Perplexity
from filters.pii.scrub import Pii
from filters.repetition import Repetition
from filters.variants.datatrove.c4 import DatatroveC4, FineWebC4
from filters.variants.datatrove.fineweb import DatatroveFineWeb, FineWebPaper
from filters.variants.datatrove.gopher import DatatroveGopher
from filters.variants.datatrove.repetition import DatatroveRepetition
from filters.variants.dclm import DclmGopher, DclmRepetition
from filters.variants.dolma import DolmaGopher, DolmaRepetition
from filters.variants.nemo import NemoGopher, NemoRepetition
from filters.variants.paper import PaperGopher, PaperRepetition
from filters.variants.rpv2 import Rpv2Gopher, Rpv2Repetition
from pipelines.errors import RecipeError

KINDS = (Language, C4, Gopher, Repetition, FineWeb, Noise, Keywords, Perplexity, Classifier, Pii)
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
    """The filter ``name`` as ``variant`` defines it; a RecipeError names those there are."""
    variants = VARIANTS.get(name, {})
    if variant not in variants:
        others = f"; it has {', '.join(sorted(variants))}" if variants else ""
        raise RecipeError(f"{where}: {name} has no variant {variant!r}{others}")
    return variants[variant]
