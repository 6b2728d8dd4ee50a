"""Readers of immutable sharded snapshots of keys and vectors, on libshardyfusion."""

from __future__ import annotations

__version__ = "0.1.0"
__accelerated__ = True
