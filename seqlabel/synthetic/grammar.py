"""Sentences of everyday English from a small grammar.

There are so many of them that sentences of a test set hardly occur in training.
"""

import re

import numpy as np

_SENTENCES = (
    "The {A} {N} {V} the {N} {P} the {N}.",
    "{M} {V} {D} {A} {N} {B}.",
    "{T}, {D} {N} {V} the {A} {N}.",
    "Did {M} ever {W} {D} {N} {P} the {A} {N}?",
    "{M} and {M} {V} {C} {S}.",
    "{D} {N} {P} the {N} {V} {M} {B}.",
    "Please {W} the {A} {S} {E}.",
    "When {M} {V} {D} {N}, the {S} {V} it.",
    "{C} {A} {S} {V} the {N}, but {M} {V} {D} {N}.",
    "Why should {M} {W} {D} {N} {E}?",
)

_WORDS = {
    "D": "the this that each another every my your our his her their some",
    "C": "two three four five six seven eight nine ten eleven twelve thirty most many few both",
    "A": "old young quiet noisy yellow purple gray huge tiny narrow thick smooth rough cheap fresh "
    "frozen wooden broken gentle careful famous humble jolly loyal modern nervous proud rapid "
    "royal silver sturdy thirsty unusual vague weary casual joyful earthen healthy feathery lazy "
    "charming oily bluish sharp shallow good bad foolish choice worthy southern third",
    "N": "baker judge teacher farmer lawyer doctor pilot nurse painter singer sheriff thief uncle "
    "mother father brother zebra fox tiger mouse goose beaver horse puppy spider shepherd window "
    "bottle basket garden kitchen church bridge village river ocean forest valley mountain desert "
    "cottage station harbor museum school engine hammer ladder pencil paper letter picture "
    "measure treasure machine vision television razor cushion feather leather weather jacket "
    "trousers sugar butter cheese pepper onion orange peach cherry coffee oyster pudding music "
    "violin yard wagon wheel voyage joke choice voice noise boy toy oil fire tower flower power "
    "shower hour year ear beard chair bear care car card barn star door floor story morning thumb "
    "tooth path thought youth hook book wood bush cook push pool tune rule thing song king ring",
    "S": "bakers judges teachers farmers doctors pilots nurses painters thieves brothers foxes "
    "tigers "
    "mice geese beavers horses puppies windows bottles baskets bridges villages rivers forests "
    "valleys ships coaches engines hammers ladders pencils papers letters pictures measures "
    "treasures machines cushions feathers jackets boxes peaches oranges cherries onions roses "
    "dishes "
    "books bushes boys toys oysters towers flowers showers years ears beards chairs cars cards "
    "barns "
    "stars doors stories paths thoughts youths songs kings rings things hooks birds girls teeth",
    "V": "saw took brought caught chased pushed pulled carried painted measured noticed watched "
    "enjoyed followed changed washed pleased touched reached sketched judged avoided borrowed "
    "offered ordered covered discovered bothered gathered answered finished punished vanquished "
    "used refused chose froze found showed knew threw drew ignored restored shared feared hired "
    "admired heard served deserved returned turned burned learned",
    "W": "see take bring catch chase push pull carry paint measure notice watch enjoy follow "
    "change wash touch reach judge avoid borrow offer order cover gather answer finish use choose "
    "show throw draw ignore share hire hear serve return",
    "P": "near behind beside under above beyond across around without through with by below "
    "between toward",
    "B": "quickly|slowly|quietly|gladly|usually|rarely|often|again|yesterday|tomorrow|together|"
    "carefully|badly|at noon|at night|in July|with pleasure|without doubt|for hours|once more",
    "T": "Today|Yesterday|On Thursday|In January|Before lunch|After the show|Last year|At five|"
    "By now|This evening|Once again|Without warning|Then",
    "E": "today|tonight|on Thursday|in June|before lunch|after the show|this year|at five|"
    "right now|this evening|again|without delay|on Sunday",
    "M": "George Joyce Hugh Ruth Beth Chuck Jane Roger Susan Thomas Walter Victor Zoe Yolanda "
    "Vivian Keith Oliver Esther Howard Charlotte Paul Kathy Doug Gwen Sheila Barbara Edward Irving",
}
"""Words of each class, or phrases parted by bars: determiners, numbers, adjectives, nouns in the
singular and plural (S), verbs in the past and bare (W), prepositions, adverbs, times to begin and
to end with, names."""

_CLASSES = {
    kind: words.split("|") if "|" in words else words.split() for kind, words in _WORDS.items()
}


def random_sentence(rng: np.random.Generator) -> str:
    """A sentence with its capital and its punctuation, ASCII."""

    def word(match: re.Match[str]) -> str:
        choices = _CLASSES[match[1]]
        return choices[rng.integers(len(choices))]

    text = re.sub(r"\{(\w)\}", word, _SENTENCES[rng.integers(len(_SENTENCES))])
    return text[0].upper() + text[1:]
