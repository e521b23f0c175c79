"""Who may decide: in a cluster the node that leads, and no other."""

from typing import Any

from fastapi import Depends, Request


async def leading(request: Request) -> None:
    """Where another node leads, nothing that it decides can be changed (503); bans are our own."""
    if request.method not in ("GET", "HEAD") and "/bans/" not in request.url.path:
        request.app.state.hotline.must_lead()


Leads: Any = Depends(leading)
