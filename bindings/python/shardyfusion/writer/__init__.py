"""Writers of snapshots."""

from __future__ import annotations
