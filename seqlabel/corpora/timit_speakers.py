"""The standard speaker lists of TIMIT.

Source: Kaldi `egs/timit/s5/conf/{dev_spk,test_spk}.list`, also in SpeechBrain. Both lists are parts
of the TEST folder; training is all of the TRAIN folder (462 speakers). The core test set has two
men and a woman of each of the eight dialect regions.
"""

_CORE_TEST = """
mdab0 mtas1 mjmp0 mlll0 mbpm0 mcmj0 mgrt0 mjln0
mwbt0 mwew0 mlnt0 mtls0 mklt0 mjdh0 mnjm0 mpam0
felc0 fpas0 fpkt0 fjlm0 fnlp0 fmgd0 fdhc0 fmld0
"""

_DEV = """
faks0 fdac1 fjem0 mgwt0 mjar0 mmdb1 mmdm2 mpdf0 fcmh0 fkms0 mbdg0 mbwm0 mcsh0
fadg0 fdms0 fedw0 mgjf0 mglb0 mrtk0 mtaa0 mtdt0 mthc0 mwjg0 fnmr0 frew0 fsem0
mbns0 mmjr0 mdls0 mdlf0 mdvc0 mers0 fmah0 fdrw0 mrcs0 mrjm4 fcal1 mmwh0 fjsj0
majc0 mjsw0 mreb0 fgjd0 fjmg0 mroa0 mteb0 mjfc0 mrjr0 fmml0 mrws1
"""

CORE_TEST, DEV = tuple(_CORE_TEST.split()), tuple(_DEV.split())

UTTERANCES = {"train": 3696, "dev": 400, "test": 192}
"""Utterances of each set without the SA sentences."""

TOKENS_39 = {"dev": 15057, "test": 7215}
"""Phones after folding 61 -> 39 with `q` removed and nothing collapsed: the common protocol."""
