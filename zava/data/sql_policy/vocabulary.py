"""The type names, operators and collations a tenant may write: lists, everything else is refused.

Left out on purpose: every `reg*` type, `oid`, `xid`, `tid`, `name`, `cstring` and the row types of tables (a cast to
them reads the catalogue or calls a function of their own), `xml`, `record`, pseudo-types.
"""

from __future__ import annotations

from typing import Final

# Values of these types have one small size, whatever they are made from.
FIXED_TYPES: Final = frozenset(
    """bool int2 int4 int8 float4 float8 numeric money date time timetz timestamp timestamptz interval uuid
    boolean smallint integer bigint decimal real""".split()
)
TYPES: Final = FIXED_TYPES | frozenset(
    """text varchar bpchar bytea bit varbit json jsonb tsvector tsquery vector halfvec
    int4range int8range numrange daterange tsrange tstzrange
    int4multirange int8multirange nummultirange datemultirange tsmultirange tstzmultirange""".split()
)
# A length written after these types makes the value that long: 'x'::char(10000000).
PADDED_TYPES: Final = frozenset({"bpchar", "bit"})

OPERATORS: Final = frozenset(
    """= <> != < > <= >= + - * / % ^ |/ ||/ @ & | # ~ << >> ||
    ~~ !~~ ~~* !~~* ~* !~ !~* ^@ ~<~ ~<=~ ~>~ ~>=~
    -> ->> #> #>> #- @> <@ ? ?| ?& @? @@ @@@ && !! <-> -|- &< &> <#> <=> <+> <~> <%>""".split()
)
# pgvector's distances live where the extension was created.
VECTOR_OPERATORS: Final = frozenset("<-> <#> <=> <+> <~> <%>".split())
EXTENSION_SCHEMA: Final = "public"

# Operators whose result is as large as what they are given; the others give booleans and small numbers.
GROWING_OPERATORS: Final = frozenset("|| + - * / % ^ @ !! -> ->> #> #>> #- & | # << >> ~".split())
# What joins two tsqueries.
QUERY_OPERATORS: Final = frozenset("|| && <->".split())

COLLATIONS: Final = frozenset(
    """C POSIX default ucs_basic unicode und-x-icu en-x-icu en-US-x-icu C.UTF-8 C.utf8 pg_c_utf8 pg_unicode_fast
    en_US en_US.utf8 en_US.UTF-8""".split()
)

# ctid and its kin: they tell how many rows other tenants have, and no honest column is called so.
SYSTEM_COLUMNS: Final = frozenset("ctid xmin xmax cmin cmax tableoid oid".split())
