"""The functions a tenant may call, by what their result is.

Every name was checked against `pg_proc` of PostgreSQL 15, 16 and 18: not one of its overloads writes, sleeps, locks,
runs SQL given as text, reads a catalogue, or tells about the server, the session or another transaction. Names the
grammar itself writes (`extract`, `overlaps`, `timezone`, `btrim`, ...) are calls like any other.

The class of the result serves two ends: the estimate of how large a value may grow, and the certainty that a value
cannot be a row, on which field selection (`(x).f` calls a function `f` when `x` has no such field) depends.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final


class Result(Enum):
    """What a call returns."""

    FIXED = "a number, date, interval, boolean or uuid, however large the arguments are"
    TEXT = "one value (text, bytea, a range, ...) about as large as the arguments together"
    ESCAPED = "as TEXT, but quoting or encoding may make it several times as large"
    DOCUMENT = "a part of a json or jsonb value, or a changed one"
    BUILT = "a json or jsonb value with the arguments in it: texts are quoted, documents are not"
    TSVECTOR = "a tsvector, about as large as the arguments"
    TSQUERY = "a tsquery, about as large as the arguments"
    ARRAY = "an array or multirange of values that are no rows, some times as large as the arguments"
    ELEMENT = "whatever type the arguments have: rows stay rows"
    COLLECTED = "one value holding the argument of every row of the group"
    ROW = "a row with the columns of ROW_COLUMNS"
    RECORD = "a row whose columns the query itself lists: AS t(a integer, b text)"


_NAMES: Final[dict[Result, str]] = {
    Result.FIXED: """
        count sum avg bool_and bool_or every bit_and bit_or bit_xor stddev stddev_pop stddev_samp variance var_pop
        var_samp corr covar_pop covar_samp regr_slope regr_intercept regr_r2 regr_count regr_avgx regr_avgy regr_sxx
        regr_sxy regr_syy percentile_cont row_number rank dense_rank percent_rank cume_dist ntile

        abs ceil ceiling floor round trunc sign sqrt cbrt power pow exp ln log log10 mod div pi degrees radians sin cos
        tan cot asin acos atan atan2 sind cosd tand cotd asind acosd atand atan2d sinh cosh tanh asinh acosh atanh erf
        erfc gamma lgamma width_bucket random random_normal gcd lcm factorial scale min_scale trim_scale hashtext crc32
        crc32c num_nulls num_nonnulls int2 int4 int8 float4 float8 numeric bool money

        length char_length character_length octet_length bit_length position strpos starts_with ascii regexp_count
        regexp_instr regexp_like to_number to_date to_timestamp is_normalized unicode_assigned bit_count get_bit
        get_byte

        now clock_timestamp statement_timestamp transaction_timestamp timeofday date_trunc date_part extract age
        make_date make_time make_timestamp make_timestamptz make_interval timezone justify_days justify_hours
        justify_interval date_bin date_add date_subtract isfinite overlaps date time timetz timestamp timestamptz
        interval

        array_length array_lower array_upper array_ndims array_position cardinality generate_subscripts
        json_array_length jsonb_array_length json_typeof jsonb_typeof jsonb_path_exists jsonb_path_match
        jsonb_path_exists_tz jsonb_path_match_tz

        isempty lower_inc upper_inc lower_inf upper_inf range_adjacent

        gen_random_uuid uuidv4 uuidv7 uuid_extract_timestamp uuid_extract_version
        ts_rank ts_rank_cd numnode
        l2_distance inner_product cosine_distance l1_distance hamming_distance jaccard_distance
        vector_dims vector_norm l2_norm generate_series""",
    Result.TEXT: """
        upper lower initcap btrim ltrim rtrim left right substr substring overlay replace translate reverse concat
        concat_ws split_part chr md5 sha224 sha256 sha384 sha512 to_char to_hex to_bin to_oct regexp_replace
        regexp_substr string_to_table regexp_split_to_table array_to_string normalize repeat lpad rpad format unistr
        casefold to_ascii like_escape similar_to_escape text varchar bpchar uuid set_bit set_byte convert_from
        array_dims bytea

        jsonb_extract_path_text json_extract_path_text jsonb_array_elements_text json_array_elements_text
        jsonb_object_keys json_object_keys jsonb_pretty

        int4range int8range numrange daterange tsrange tstzrange range_merge range_intersect_agg

        querytree ts_headline l2_normalize subvector binary_quantize""",
    Result.DOCUMENT: """
        json jsonb jsonb_extract_path json_extract_path jsonb_array_elements json_array_elements jsonb_path_query
        jsonb_path_query_array jsonb_path_query_first jsonb_path_query_tz jsonb_path_query_array_tz
        jsonb_path_query_first_tz jsonb_set jsonb_set_lax jsonb_insert jsonb_strip_nulls json_strip_nulls""",
    Result.BUILT: """
        to_json to_jsonb row_to_json array_to_json json_build_object json_build_array jsonb_build_object
        jsonb_build_array json_object jsonb_object""",
    Result.TSVECTOR: """
        to_tsvector setweight strip ts_filter ts_delete jsonb_to_tsvector json_to_tsvector array_to_tsvector""",
    Result.TSQUERY: "to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery tsquery_phrase",
    Result.ESCAPED: "quote_literal quote_ident quote_nullable encode decode convert_to",
    Result.ARRAY: """
        string_to_array regexp_match regexp_matches regexp_split_to_array array_positions tsvector_to_array ts_lexize
        int4multirange int8multirange nummultirange datemultirange tsmultirange tstzmultirange multirange""",
    Result.ELEMENT: """
        min max any_value mode percentile_disc lag lead first_value last_value nth_value unnest array_append
        array_prepend array_cat array_remove array_replace trim_array array_sample array_shuffle array_reverse
        array_sort array_fill""",
    Result.COLLECTED: """
        array_agg string_agg json_agg jsonb_agg json_agg_strict jsonb_agg_strict json_object_agg jsonb_object_agg
        json_object_agg_strict jsonb_object_agg_strict json_object_agg_unique jsonb_object_agg_unique
        json_object_agg_unique_strict jsonb_object_agg_unique_strict range_agg""",
    Result.ROW: "json_each jsonb_each json_each_text jsonb_each_text",
    Result.RECORD: "json_to_record jsonb_to_record json_to_recordset jsonb_to_recordset",
}

FUNCTIONS: Final[Mapping[str, Result]] = {name: result for result, names in _NAMES.items() for name in names.split()}

# Aggregates beside the COLLECTED ones: without GROUP BY such a query has one row.
AGGREGATES: Final = frozenset(
    """count sum avg bool_and bool_or every bit_and bit_or bit_xor stddev stddev_pop stddev_samp variance var_pop
    var_samp corr covar_pop covar_samp regr_slope regr_intercept regr_r2 regr_count regr_avgx regr_avgy regr_sxx
    regr_sxy regr_syy percentile_cont percentile_disc mode min max any_value range_intersect_agg""".split()
)

# Functions that return a set: each row of the query becomes several.
SET_RETURNING: Final = frozenset(
    """generate_series generate_subscripts unnest string_to_table regexp_split_to_table regexp_matches json_each
    jsonb_each json_each_text jsonb_each_text json_array_elements jsonb_array_elements json_array_elements_text
    jsonb_array_elements_text json_object_keys jsonb_object_keys jsonb_path_query jsonb_path_query_tz
    json_to_recordset jsonb_to_recordset""".split()
)

# The same call may give another answer a moment later: no cache may keep it.
VOLATILE: Final = frozenset(
    """random random_normal now clock_timestamp statement_timestamp transaction_timestamp timeofday gen_random_uuid
    uuidv4 uuidv7 array_sample array_shuffle""".split()
)

# The named OUT columns of a call in FROM; a function without them gives one column named after alias or function.
ROW_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = dict.fromkeys(_NAMES[Result.ROW].split(), ("key", "value"))
OUT_COLUMN: Final[Mapping[str, str]] = dict.fromkeys(
    "json_array_elements jsonb_array_elements json_array_elements_text jsonb_array_elements_text".split(), "value"
)
