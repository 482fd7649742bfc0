"""The phones of TIMIT: 61 symbols, their folding to 48 and 39, and the classes of the 39.

Source: the map of Lee & Hon (1989) as distributed in Kaldi's `egs/timit/s5/conf`
(`phones.60-48-39.map`). The glottal stop `q` is removed, not folded.
"""

from collections.abc import Mapping
from types import MappingProxyType

_TABLE = """
aa   aa  aa  | ae   ae  ae  | ah   ah  ah  | ao   ao  aa  | aw   aw  aw  | ax   ax  ah
ax-h ax  ah  | axr  er  er  | ay   ay  ay  | b    b   b   | bcl  vcl sil | ch   ch  ch
d    d   d   | dcl  vcl sil | dh   dh  dh  | dx   dx  dx  | eh   eh  eh  | el   el  l
em   m   m   | en   en  n   | eng  ng  ng  | epi  epi sil | er   er  er  | ey   ey  ey
f    f   f   | g    g   g   | gcl  vcl sil | h#   sil sil | hh   hh  hh  | hv   hh  hh
ih   ih  ih  | ix   ix  ih  | iy   iy  iy  | jh   jh  jh  | k    k   k   | kcl  cl  sil
l    l   l   | m    m   m   | n    n   n   | ng   ng  ng  | nx   n   n   | ow   ow  ow
oy   oy  oy  | p    p   p   | pau  sil sil | pcl  cl  sil | q    -   -   | r    r   r
s    s   s   | sh   sh  sh  | t    t   t   | tcl  cl  sil | th   th  th  | uh   uh  uh
uw   uw  uw  | ux   uw  uw  | v    v   v   | w    w   w   | y    y   y   | z    z   z
zh   zh  sh
"""

_ROWS = [cell.split() for line in _TABLE.split("\n") if line for cell in line.split("|")]

TO_48: Mapping[str, str | None] = MappingProxyType(
    {symbol: None if middle == "-" else middle for symbol, middle, _ in _ROWS}
)
"""61 -> 48; None means that the symbol is removed."""

TO_39: Mapping[str, str | None] = MappingProxyType(
    {symbol: None if last == "-" else last for symbol, _, last in _ROWS}
)
"""61 -> 39; None means that the symbol is removed."""

ANY_TO_39: Mapping[str, str | None] = MappingProxyType(
    {middle: last for _, middle, last in _ROWS if middle != "-"} | {"sil": "sil"} | dict(TO_39)
)
"""Symbols of any of the three sets -> 39, for systems that were trained on 48 or 39 classes."""

PHONES_61 = tuple(TO_39)
PHONES_48 = tuple(sorted({phone for phone in TO_48.values() if phone}))
PHONES_39 = tuple(sorted({phone for phone in TO_39.values() if phone}))

_CLASSES = {
    "vowels": "iy ih eh ey ae aa aw ay ah ao oy ow uh uw ux er ax ix axr ax-h",
    "stops": "b d g p t k dx q",
    "affricates": "jh ch",
    "fricatives": "s sh z zh f th v dh",
    "nasals": "m n ng em en eng nx",
    "semivowels and glides": "l r w y hh hv el",
    "silence and closures": "pau epi h# bcl dcl gcl pcl tcl kcl sil cl vcl",
}

PHONE_CLASSES: Mapping[str, str] = MappingProxyType(
    {phone: name for name, phones in _CLASSES.items() for phone in phones.split()}
)
"""Every symbol of the 61, 48 and 39 -> its class, as grouped in TIMIT's own PHONCODE.DOC."""


def fold(labels: tuple[str, ...] | list[str], table: Mapping[str, str | None]) -> tuple[str, ...]:
    """Map every label by `table`, dropping those mapped to None; KeyError for others."""
    folded = (table[label] for label in labels)
    return tuple(label for label in folded if label is not None)
