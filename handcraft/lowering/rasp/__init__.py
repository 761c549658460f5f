"""RASP's own s-ops as programs: compiler is the door, values, shapes, rules and nodes make nodes of
them, lowering and averages lower what RASP has besides, program and model are what comes back.
"""
