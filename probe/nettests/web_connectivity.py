"""Web connectivity.

Visits the target as a browser would, and its http/https twin beside it, since networks
exist that show a block page on one and reset the other. Each URL on the way is asked of
every control, which visits it from elsewhere by the same code and also connects to
every address that was found here.
"""

from __future__ import annotations

from probe.nettest import Context, nettest
from testlists.target import Target


@nettest("web_connectivity", version="1.0.0")
async def web_connectivity(ctx: Context, target: Target) -> None:
    """Can this page be reached from here, and is it the page that others get?"""
    await ctx.visit(target.url, twin=True)
