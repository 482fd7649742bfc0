"""The phone table against the counts that Kaldi's map is known for."""

import pytest

from seqlabel.alphabet import PHONE_CLASSES, PHONES_39, PHONES_48, PHONES_61
from seqlabel.alphabet.phones import ANY_TO_39, TO_39, TO_48, fold


def test_the_map_has_61_rows_and_images_of_48_and_39():
    assert len(PHONES_61) == len(set(PHONES_61)) == 61
    assert len(PHONES_48) == 48
    assert len(PHONES_39) == 39


def test_only_the_glottal_stop_is_removed():
    assert [phone for phone in PHONES_61 if TO_39[phone] is None] == ["q"]
    assert [phone for phone in PHONES_61 if TO_48[phone] is None] == ["q"]


def test_the_foldings_in_words():
    changed = {phone: image for phone, image in TO_48.items() if image not in (phone, None)}
    assert changed == {
        **dict.fromkeys(["bcl", "dcl", "gcl"], "vcl"),
        **dict.fromkeys(["kcl", "pcl", "tcl"], "cl"),
        **dict.fromkeys(["h#", "pau"], "sil"),
        "ax-h": "ax", "axr": "er", "hv": "hh", "em": "m", "nx": "n", "eng": "ng", "ux": "uw",
    }  # fmt: skip
    further = {
        TO_48[phone]: image for phone, image in TO_39.items() if image not in (TO_48[phone], None)
    }
    assert further == {
        "ao": "aa", "ax": "ah", "ix": "ih", "el": "l", "en": "n", "zh": "sh",
        "cl": "sil", "vcl": "sil", "epi": "sil",
    }  # fmt: skip


def test_symbols_of_all_three_sets_fold_to_39_and_39_to_themselves():
    assert set(ANY_TO_39) == {*PHONES_61, *PHONES_48, *PHONES_39}
    assert {image for image in ANY_TO_39.values() if image} == set(PHONES_39)
    assert all(ANY_TO_39[phone] == phone for phone in PHONES_39)
    for phone in PHONES_61:  # folding in two steps is folding at once
        assert TO_48[phone] is None or ANY_TO_39[TO_48[phone]] == TO_39[phone]


def test_every_symbol_has_a_class_and_folding_hardly_crosses_classes():
    assert set(PHONE_CLASSES) == set(ANY_TO_39)
    crossing = {
        phone
        for phone, image in ANY_TO_39.items()
        if image and PHONE_CLASSES[phone] != PHONE_CLASSES[image]
    }
    assert crossing == set()


def test_fold():
    assert fold(("h#", "sh", "ix", "q", "bcl", "b"), TO_39) == ("sil", "sh", "ih", "sil", "b")
    with pytest.raises(KeyError):
        fold(("xx",), TO_39)
