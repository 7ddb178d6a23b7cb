"""Language labels, one per language: ISO 639-1 where there is a code, else ISO 639-3.

- Script and region are dropped: ``zh-Hant``, ``zh_CN`` and ``eng_Latn`` become ``zh``, ``zh`` and ``en``.
- Older codes are replaced (``iw`` by ``he``), and so are varieties that CLDR takes for the whole language (``cmn`` by
  ``zh``, ``arb`` by ``ar``).
- Norwegian is ``no`` (with Bokmål) and ``nn``. Serbian, Croatian and Bosnian stay separate, as do ``yue``, ``arz`` and
  others that models distinguish from a larger neighbor.
"""

UNKNOWN = "und"  # ISO 639-2: undetermined


def language_of(label: str) -> str:
    """Return our label for any other: ``__label__eng_Latn`` -> ``en``; ``""`` and labels of no language -> ``und``."""
    code = label.removeprefix("__label__").replace("-", "_").partition("_")[0].lower()
    return SAME.get(code, code) or UNKNOWN


ISO_639_3 = """
    aar:aa abk:ab afr:af aka:ak amh:am ara:ar arg:an asm:as ava:av ave:ae aym:ay aze:az bak:ba bam:bm bel:be
    ben:bn bis:bi bod:bo bos:bs bre:br bul:bg cat:ca ces:cs cha:ch che:ce chu:cu chv:cv cor:kw cos:co cre:cr
    cym:cy dan:da deu:de div:dv dzo:dz ell:el eng:en epo:eo est:et eus:eu ewe:ee fao:fo fas:fa fij:fj fin:fi
    fra:fr fry:fy ful:ff gla:gd gle:ga glg:gl glv:gv grn:gn guj:gu hat:ht hau:ha hbs:sh heb:he her:hz hin:hi
    hmo:ho hrv:hr hun:hu hye:hy ibo:ig ido:io iii:ii iku:iu ile:ie ina:ia ind:id ipk:ik isl:is ita:it jav:jv
    jpn:ja kal:kl kan:kn kas:ks kat:ka kau:kr kaz:kk khm:km kik:ki kin:rw kir:ky kom:kv kon:kg kor:ko kua:kj
    kur:ku lao:lo lat:la lav:lv lim:li lin:ln lit:lt ltz:lb lub:lu lug:lg mah:mh mal:ml mar:mr mkd:mk mlg:mg
    mlt:mt mon:mn mri:mi msa:ms mya:my nau:na nav:nv nbl:nr nde:nd ndo:ng nep:ne nld:nl nno:nn nob:no nor:no
    nya:ny oci:oc oji:oj ori:or orm:om oss:os pan:pa pli:pi pol:pl por:pt pus:ps que:qu roh:rm ron:ro run:rn
    rus:ru sag:sg san:sa sin:si slk:sk slv:sl sme:se smo:sm sna:sn snd:sd som:so sot:st spa:es sqi:sq srd:sc
    srp:sr ssw:ss sun:su swa:sw swe:sv tah:ty tam:ta tat:tt tel:te tgk:tg tgl:tl tha:th tir:ti ton:to tsn:tn
    tso:ts tuk:tk tur:tr twi:tw uig:ug ukr:uk urd:ur uzb:uz ven:ve vie:vi vol:vo wln:wa wol:wo xho:xh yid:yi
    yor:yo zha:za zho:zh zul:zu
"""

# Older codes, ISO 639-2/B codes, varieties taken for their language, and labels of no language.
OTHER = """
    iw:he jw:jv in:id ji:yi mo:ro nb:no fil:tl bh:bho bih:bho un:und xx:und xxx:und mul:und mis:und zxx:und
    tib:bo cze:cs wel:cy ger:de gre:el baq:eu per:fa fre:fr arm:hy ice:is geo:ka mac:mk mao:mi may:ms bur:my dut:nl
    rum:ro slo:sk alb:sq chi:zh
    als:sq arb:ar ayr:ay azj:az cmn:zh ekk:et esk:ik fat:ak fuc:ff gaz:om gug:gn ike:iu khk:mn kmr:ku knc:kr kng:kg
    kpv:kv lvs:lv npi:ne ojg:oj ory:or pbt:ps pbu:ps pes:fa plt:mg prs:fa quz:qu src:sc swh:sw uzn:uz ydd:yi zsm:ms
    zyb:za
"""

SAME = dict(pair.split(":") for pair in (ISO_639_3 + OTHER).split())


def is_code(label: str) -> bool:
    """Return True for two letters that ISO 639-1 has or had, and for any three.

    >>> is_code("de"), is_code("yue"), is_code("qq"), is_code("german")
    (True, True, False, False)
    """
    if not (label.isascii() and label.islower() and label.isalpha()):
        return False
    return len(label) == 3 or (len(label) == 2 and (label in SAME or label in SAME.values()))
