"""The section `masking` of scenarios.yaml: how a drill masks a copy of the operator's own database."""

from __future__ import annotations

from pydantic import Field

from uscdr.models.base import Fact
from uscdr.models.data_settings import ColumnText, TableText
from uscdr.models.masking import Rule


class MaskingSettings(Fact):
    """Rules by column. A column that is not listed is masked by the rule of its type."""

    columns: dict[ColumnText, Rule] = Field(default_factory=dict)
    """`table.column`, or `table.*` for every column of a table."""
    persons: dict[TableText, str] = Field(default_factory=dict)
    """By table the column that names the person whose row it is: the dates of a person move by the same days."""
