"""Phone numbers: written in many ways and found whole, and numbers like them that are left alone."""

import pytest

from gristmill.filters.pii.detect import TYPES, detect
from gristmill.pipelines.ragged import Ragged


def phones(text: str) -> list[str]:
    """Return the phone numbers that are found in a text of unknown language."""
    rows = Ragged.from_strings([text])
    return [rows.data[f.start : f.end].tobytes().decode() for f in detect(rows, TYPES) if f.type == "phone"]


@pytest.mark.parametrize(
    "text",
    [
        # area codes 978 and 979 are no ISBN
        "|978-249-9678|",
        "|978.249.9678|",
        "Phone: |978-250-9678 x123|",
        "Phone: |979 249 9678|",
        "Phone: |9782499678|",
        "Phone: |978-249-9678| or |979-249-9678|",
        "Phone: |1 (978) 249-9678|",
        # words joined to the number
        "Tel. |0910-5877671|-Office",
        "|0910-5877671|-Home",
        "|751-954-9268|-Fax",
        "|751-954-9268|(work)",
        "|2085557234|-Office",
        "|+442085557234|-Office",
        "Fax-|751-954-9268|",
        "Tel-|2085557234|",
        "Cell.|212.867.5309|",
        # extensions
        "Mobile |001-748-088-2851x818|",
        "Tel |415-867-5309 ext. 12|",
        "Tel |415-867-5309, ext 12|",
        "Tel |415-867-5309 extension 12|",
        "Tel |415-867-5309 extn 12|",
        "Tel |415-867-5309 Ext: 12|",
        "Tel |415-867-5309 (ext. 12)|",
        "Tel |415-867-5309;ext=12|",
        "Tel |415-867-5309ext12|",
        "Tel |415-867-5309#12|",
        "Tel |2085557234x12|",
        # trunk zeros, prefixes for international calls
        "Phone: |+44(0)20 7946 0123|",
        "Phone: |+44 (0) 20 7946 0123|",
        "Phone: |(0)20 7946 0123|",
        "Phone: |8 (495) 123-45-67|",
        "Phone: |0044 20 7946 0123|",
        "Dial |011-44-20-7946-0123|",
        "Tel.: |+49 (0) 89 / 123 456-78|",
        "Tel.: |089 123456-0|",
        # words that support, some of them only right before the number
        "Ring |(85) 5986-8343|",
        "Contact |0910 587 7671| for more",
        "Stop sending messages to |699 956 915|",
        "My number is |0164613589|",
        "Tel. Nr. |0910/5877671|",
        "Fax |0910.5877671|",
        "Phone: |2045 1987|",
        "Phone: |022 - 2567 8901|",
        "tel : |( 310 ) 449-3411|",
    ],
)
def test_a_number_is_found_whole(text):
    assert phones(text.replace("|", "")) == text.split("|")[1::2]


@pytest.mark.parametrize(
    "text",
    [
        "978-3-16-148410-0",
        "The phone book, 978-0-306-40615-7",
        "Phone: 978 3 16 148410 0",
        "978-0306406157 office",
        "EAN 9783161484100",
        "Phone 9783161484100",
        "2023-10-11-home",
        "20231011-mobile",
        "1697012345-work",
        "serial 751-954-9268-Home",
        "part 751-954-9268-B",
        "751-954-9268-home-page",
        "https://shop.example/12345678-home",
        "ring buffer of 1048576 entries",
        "a message to 1000000 users",
        "order number is 4158675309",
        "0.0910587767",
        "-33.8688 151.2093",
        "call 0x4158675309",
        "4158675309y12",
        "Phone: 1998/10/11",
        "Tel 08.00 - 12.00",
        "Tel 10 000 - 20 000",
        "our 2045 1987",
        "call 415867530912345678 249 9678",  # half a number
        "doi:10.1016/j.cell.2020.01.001",  # the word is a part of a name
        "www.mobile.2020.01.001",
    ],
)
def test_a_number_of_another_kind_is_left(text):
    assert phones(text) == []
