"""Settings of the backends that hold vectors alone."""

from __future__ import annotations
