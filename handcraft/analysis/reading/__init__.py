"""Reads rules off weights: what each head of a model attends to, as the recipes would write it.

    texts.py    the texts that are read: of a claim, or drawn from the vocabulary
    watching.py what each head does on them: scores, attention, and how much it writes
    sinks.py    the position whose value is nothing, at which an anchored head rests
    relations.py  what two positions have to do with each other: their distance, their tokens
    families.py the forms that scores may have, the simplest first
    fitting.py  the nearest scores of a form, and the attention that follows from them
    addresses.py  heads that attend to a computed position, and what it is computed from
    heads.py    the reading of one head
    wording.py  a rule in words
    standing.py the recipe that can stand in place of a head
    in_place.py weights as rules, with that recipe among them
    whole.py    the reading of all, and the agreement of predictions after each

Everything is measured on what a head does: how the lanes are ordered, turned or named is the same
to it. Rules of this package: a form is fitted on one half of the texts and judged on the other; no
names, rules or provenance of a model are looked at.
"""
