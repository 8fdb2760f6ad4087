"""The columns that most tables are made of."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, MetaData, String, Text

metadata = MetaData()


def identity(name: str) -> Column[str]:
    """What names a row, or a part of it."""
    return Column(name, String, primary_key=True)


def string(name: str, default: str = "") -> Column[str]:
    """Text that is always there."""
    return Column(name, Text, nullable=False, default=default)


def number(name: str) -> Column[int]:
    """An integer that is always there; also a time."""
    return Column(name, BigInteger, nullable=False, default=0)


def real(name: str) -> Column[float]:
    """NULL where it is not known."""
    return Column(name, Float, nullable=True)


def flag(name: str) -> Column[bool]:
    """False until an event says otherwise."""
    return Column(name, Boolean, nullable=False, default=False)
