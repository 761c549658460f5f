"""Imports JAX and optax, which the extra `train` brings."""

from __future__ import annotations

from typing import Any

from handcraft.core.errors import MissingExtraError


def jax_and_optax() -> tuple[Any, Any]:
    """The modules jax and optax. Raises MissingExtraError where one is not installed."""
    try:
        import jax
        import optax
    except ImportError:
        raise MissingExtraError(
            "training needs the extra `train`: pip install 'handcraft[train]'"
        ) from None
    return jax, optax


def versions() -> dict[str, str]:
    """The versions of what decides about the bits of a run."""
    jax, optax = jax_and_optax()
    return {"jax": str(jax.__version__), "optax": str(optax.__version__)}
