"""What lives in SQL alone: keys, and who annotators are."""

from __future__ import annotations

from sqlalchemy import JSON, Column, String, Table, column, table

from services.store.models.columns import identity, metadata, number, string

admissions = table("admissions", column("kind"), column("identity"), column("content_hash"))  # the log makes it

keys = Table(
    "keys",
    metadata,
    identity("key_id"),
    Column("secret_hash", String, nullable=False),  # sha256 of the random secret; never the secret
    string("role"),
    string("annotator"),  # the opaque id in the log, for roles that judge
    string("name"),
    number("created_at"),
    number("revoked_at"),  # 0: in force
)

annotators = Table(
    "annotators",
    metadata,
    identity("annotator"),
    string("name"),  # the person
    Column("skills", JSON, nullable=False),
    number("created_at"),
)

annotator_attributes = Table(  # vendor, cohort, source: what quality is sliced by
    "annotator_attributes",
    metadata,
    identity("annotator"),
    identity("name"),
    string("value"),
)
