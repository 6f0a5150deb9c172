"""What the house costs, each figure beside a floor or a peer measured in the same run."""

from __future__ import annotations
