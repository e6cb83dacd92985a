"""Checks a key for LiteLLM in memory, which is cheaper than its own way, a database."""

from importlib import import_module
from typing import Any

KEY = "sk-bench"


async def check(request: Any, api_key: str) -> Any:
    """Let the one key in."""
    del request
    if api_key != KEY:
        raise PermissionError("not the key")
    return import_module("litellm.proxy._types").UserAPIKeyAuth(api_key=api_key)
