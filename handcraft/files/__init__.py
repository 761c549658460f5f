"""Files of programs and models: program files, built directories, checkpoints of a GPT-2, and the
template of `handcraft new`.
"""
