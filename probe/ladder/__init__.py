"""The ladder: what differs from the controls is looked at again, one thing changed at a time.

`differences` finds in the evidence what to accuse, `climb` offers what a rung may do,
`follow` goes up the rungs in order. A new rung is one small definition in ``rungs``.
What the answers mean is for ``analysis`` to say.
"""
