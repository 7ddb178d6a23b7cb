"""API keys, tokens and private keys: known prefixes, and random values assigned to a name for a secret."""

import math
import re
import string
from collections import Counter
from collections.abc import Iterator

import numpy as np

from gristmill.filters.pii.detectors.window import PiiSpan, Window

# Formats of services, each with the prefix of the service.
KNOWN = re.compile(
    rb"""(?:
    (?:AKIA|ASIA|AROA|AIDA)[A-Z2-7]{16}                    # Amazon
  | AIza[\w-]{35} | ya29\.[\w-]{20,} | GOCSPX-[\w-]{28}     # Google
  | gh[pousr]_[A-Za-z0-9]{36,251} | github_pat_\w{22,255}   # GitHub
  | gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[\w-]{20,}              # GitLab
  | xox[abeoprs]-[A-Za-z0-9-]{10,} | xapp-\d-[A-Z0-9]+-\d+-[a-z0-9]+      # Slack
  | sk-(?=[\w-]*[A-Z])(?=[\w-]*\d)(?:proj-|svcacct-|admin-|ant-(?:api|admin)\d\d-|or-v1-|lf-)?[\w-]{20,}  # OpenAI
  | (?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,} | whsec_[A-Za-z0-9+/=]{24,}     # Stripe
  | SG\.[\w-]{16,32}\.[\w-]{16,64}                          # SendGrid
  | (?:AC|SK)[0-9a-f]{32} | key-[0-9a-f]{32} | [0-9a-f]{32}-us\d{1,2}     # Twilio, Mailgun, Mailchimp
  | npm_[A-Za-z0-9]{36} | pypi-AgE[\w-]{50,} | rubygems_[0-9a-f]{48} | dckr_pat_[\w-]{27}
  | hf_[A-Za-z0-9]{34} | gsk_[A-Za-z0-9]{40,} | r8_[A-Za-z0-9]{37} | nvapi-[\w-]{60,} | pplx-[A-Za-z0-9]{40,}
  | do[opr]_v1_[0-9a-f]{64} | shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32} | sq0(?:atp|csp)-[\w-]{22,43} | EAAA[\w-]{60}
  | lin_api_[A-Za-z0-9]{40} | PMAK-[0-9a-f]{24}-[0-9a-f]{34} | ntn_[A-Za-z0-9]{40,} | secret_[A-Za-z0-9]{43}
  | tskey-[a-z]+-[A-Za-z0-9-]{20,} | hvs\.[\w-]{24,} | AGE-SECRET-KEY-1[0-9A-Z]{58} | glc_[A-Za-z0-9+/=]{32,}
  | eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}               # JSON Web Token
  )(?![A-Za-z0-9_])""",
    re.VERBOSE,
)
MAX_TOKEN_BYTES = 4096
DOTTED = b"SG.", b"ya29.", b"hvs."  # prefixes outside the window
STARTS = (  # first two bytes of all others, except Mailchimp's
    b"AC AG AI AK AR AS EA GO PM SG SK dc do ey gh gi gl gs hf hv ke li np nt nv pk pp py r8 rk ru se sh sk sq ts wh "
    b"xa xo ya"
).split()

# name = "value", name: value, "name": "value", Authorization: Bearer value, --password=value
ASSIGNED = re.compile(
    rb"""(?ix)
    (?: api[_-]?key | apikey | secret(?:[_-]?(?:access[_-]?)?key)? | access[_-]?(?:key|token) | auth[_-]?token | token
      | passw(?:or)?d | passwd | pwd | private[_-]?key | client[_-]?secret | credential | encryption[_-]?key )
    (?:[_-]?id)? ["'\]]{0,2} \s{0,3} (?: :|=>?|:= ) \s{0,3} ["'`]? $
    | (?: bearer | authorization:\s{0,2}basic ) \s{1,2} $"""
)
SIGNS = b":", b"=", b">", b"bearer", b"basic"  # an assignment ends with one, then spaces and a quote
SPACED = b" \t\n\r\f\v\"'`"
ASSIGNED_BYTES, INSIDE_BYTES = 48, 40  # examined before a value, and of a value before the window
INSIDE = string.ascii_letters.encode() + b"0123456789_+/.~-"  # bytes of a value, which may begin before the window
VALUE = re.compile(rb"[A-Za-z0-9_+/=.~-]{16,512}")
PLACEHOLDER = re.compile(
    rb"(?i)example|your|placeholder|changeme|xxxx|dummy|sample|12345678|abcdef|redacted|insert|<|\$"
)
MIN_BITS = 3.2  # per character; 20 random letters have 3.9, random hexadecimal digits 3.3, words 3.0
BLOCK = re.compile(rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
MAX_BLOCK_BYTES = 16384


def keys(window: Window) -> Iterator[PiiSpan]:
    """Yield the key in a TOKEN window: one with a known prefix, or a random value assigned to a name for a secret."""
    before = window.before(window.start, INSIDE_BYTES)
    start = window.start - next((len(prefix) for prefix in DOTTED if before.endswith(prefix)), 0)
    found = KNOWN.match(window.data, start, min(window.high, start + MAX_TOKEN_BYTES))
    if found and not PLACEHOLDER.search(found[0]):
        yield PiiSpan(start, found.end(), "api_key")
        return
    start = window.start - len(before) + len(before.rstrip(INSIDE))
    before = window.before(start, ASSIGNED_BYTES)
    if before.rstrip(SPACED).lower().endswith(SIGNS) and ASSIGNED.search(before):
        value = VALUE.match(window.after(start, 512))
        if value and is_random(value[0]):
            yield PiiSpan(start, start + len(value[0]), "api_key")


def is_random(value: bytes) -> bool:
    """True if letters and digits look random: mixed, of high entropy, and no words."""
    if PLACEHOLDER.search(value) or not re.search(rb"\d", value) or not re.search(rb"[A-Za-z]", value):
        return False
    words = re.findall(rb"[A-Za-z]+", value)
    if max(map(len, words)) == len(value) or (re.fullmatch(rb"[a-z]+(?:[_.-][a-z0-9]+)*", value) and len(words) > 2):
        return False
    return entropy(value) >= MIN_BITS


def entropy(value: bytes) -> float:
    """Return the bits per byte, from the byte frequencies of the value."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())


def private_keys(data: bytes, offsets: np.ndarray) -> Iterator[PiiSpan]:
    """Yield the blocks ``-----BEGIN … PRIVATE KEY-----`` to ``-----END …-----`` of documents with these offsets."""
    at = data.find(b"-----BEGIN ")
    while at >= 0:
        begin = BLOCK.match(data, at)
        end = data.find(b"-----END ", begin.end(), begin.end() + MAX_BLOCK_BYTES) if begin else -1
        if end >= 0:
            end = data.find(b"-----", end + 9, end + 64)
            row = np.searchsorted(offsets, at, "right")
            if end >= 0 and end + 5 <= offsets[row]:
                yield PiiSpan(at, end + 5, "api_key")
        at = data.find(b"-----BEGIN ", at + 11)
