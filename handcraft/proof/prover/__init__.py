"""The certificate: a proof over the weights, for every context and every float, without
enumerating them.
"""
