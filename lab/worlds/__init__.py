"""The worlds: every situation that the probe must read rightly, by name.

``plan.build(name, seed)`` gives the same world each time and, for another seed, the
same situation with other names, addresses, paths and places of the censor. Names
and addresses are the world's own, so that hundreds are measured in one country at
once. Situations of the whole country (`lab.worlds.whole`) need a run of their own.
"""
