"""Every context asked, prefixes shared: in NumPy, compiled, in several processes, going on
where it was stopped.
"""
