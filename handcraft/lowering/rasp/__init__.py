"""RASP's own s-ops as programs: compiler is the door; classes, translation, shapes and values make
nodes of them, lowering and averages lower what RASP has besides, witness looks for texts on which
a function raises; program and model are what comes back.
"""
