"""Statements that fail, or not, depending on one row of another store: an answer would tell that the row is there.

Each is built around values of Bellevue's canaries, as somebody would use it who guesses them. To Seattle the row is not
there, so nothing may fail; a superuser, who sees every row, gets the error that gives it away.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tests.security.canaries import CANARIES
from zava.local.stores import STORES

_BELLEVUE = CANARIES["bellevue"]
_VALUES = {
    "amount": _BELLEVUE.total_amount,
    "stock": _BELLEVUE.stock_level,
    "quantity": _BELLEVUE.quantity,
    "tag": _BELLEVUE.tag,
    "email": _BELLEVUE.email,
    "order": _BELLEVUE.order_id,
    "customer": _BELLEVUE.customer_id,
    "store": STORES[1].store_id,
}
# One where the hidden row is seen, zero where it is not.
_SEEN = "(SELECT count(*)::int FROM customers WHERE email = '{email}')"

_ORACLES = {
    "division in a filter": "SELECT count(*) FROM orders WHERE 1 / (total_amount - {amount}) IS NOT NULL",
    "division behind a filter of one's own": "SELECT count(*) FROM orders "
    "WHERE store_id <> '{store}' OR 1 / (total_amount - {amount}) > 9",
    "division beside the key": "SELECT * FROM orders WHERE order_id = '{order}' AND 1 / (total_amount - {amount}) > 0",
    "division beside the store": "SELECT count(*) FROM orders "
    "WHERE store_id = '{store}' AND 1 / (total_amount - {amount}) > 0",
    "division in the list": "SELECT sum(1 / (stock_level - {stock})) FROM inventory",
    "division in a join": "SELECT count(*) FROM products AS p JOIN order_items AS i "
    "ON i.product_id = p.product_id AND 1 / (i.quantity - {quantity}) > -1",
    "division in an outer join": "SELECT count(*) FROM products AS p LEFT JOIN inventory AS v "
    "ON v.product_id = p.product_id AND 1 / (v.stock_level - {stock}) > -1",
    "division in a window": "SELECT sum(1 / (quantity - {quantity})) OVER (ORDER BY order_item_id) FROM order_items",
    "division in HAVING": "SELECT status FROM orders GROUP BY status HAVING bool_or(1 / (total_amount - {amount}) > 9)",
    "division in an order": "SELECT order_id FROM orders ORDER BY 1 / (total_amount - {amount})",
    "division in a group": "SELECT count(*) FROM orders GROUP BY 1 / (total_amount - {amount})",
    "division in a CTE": "WITH x AS (SELECT 1 / (total_amount - {amount}) AS d FROM orders) SELECT max(d) FROM x",
    "division in a CTE read first": "WITH x AS MATERIALIZED (SELECT 1 / (total_amount - {amount}) AS d FROM orders) "
    "SELECT max(d) FROM x",
    "division in LATERAL": "SELECT max(d) FROM stores AS s CROSS JOIN LATERAL "
    "(SELECT 1 / (o.total_amount - {amount}) AS d FROM orders AS o WHERE o.store_id = s.store_id) AS x",
    "division in EXISTS": "SELECT count(*) FROM products AS p WHERE EXISTS (SELECT 1 FROM order_items AS i "
    "WHERE i.product_id = p.product_id AND 1 / (i.quantity - {quantity}) < 5)",
    "division in NOT IN": "SELECT count(*) FROM products WHERE product_id NOT IN "
    "(SELECT product_id FROM inventory WHERE 1 / (stock_level - {stock}) > 5)",
    "division in a FILTER": "SELECT count(*) FILTER (WHERE 1 / (stock_level - {stock}) > 5) FROM inventory",
    "division in CASE": "SELECT max(CASE stock_level WHEN {stock} THEN 1 / (stock_level - {stock}) END) FROM inventory",
    "remainder": "SELECT count(*) FROM inventory WHERE 7 % (stock_level - {stock}) = 1",
    "cast of an address": "SELECT max((CASE WHEN email = '{email}' THEN email ELSE '1' END)::int) FROM customers",
    "cast behind LIKE": "SELECT count(*) FROM customers WHERE email LIKE '{tag}%' AND email::int > 0",
    "cast behind the index": "SELECT count(*) FROM customers WHERE email = '{email}' AND email::int > 0",
    "cast to a date": "SELECT count(*) FROM customers WHERE first_name = '{tag}' AND first_name::date > '2020-01-01'",
    "cast to a uuid": "SELECT count(*) FROM customers WHERE first_name = '{tag}' AND first_name::uuid IS NOT NULL",
    "cast to json": "SELECT count(*) FROM customers WHERE last_name = '{tag}' AND last_name::jsonb IS NOT NULL",
    "cast to an interval": "SELECT count(*) FROM customers WHERE phone = '{tag}' AND phone::interval > '1 day'",
    "cast of a place": "SELECT count(*) FROM stores WHERE location LIKE '%{tag}' AND location::int > 0",
    "overflow": "SELECT max(stock_level * CASE WHEN stock_level = {stock} THEN 1000 ELSE 1 END) FROM inventory",
    "numeric overflow": "SELECT max(exp(CASE WHEN total_amount = {amount} THEN 9e9 ELSE 1 END)) FROM orders",
    "logarithm": "SELECT max(ln(CASE WHEN total_amount = {amount} THEN 0 ELSE 1 END)) FROM orders",
    "root": "SELECT max(sqrt(CASE WHEN stock_level = {stock} THEN -1 ELSE 1 END)) FROM inventory",
    "regular expression": "SELECT bool_or('x' ~ CASE WHEN email = '{email}' THEN '(' ELSE '.' END) FROM customers",
    "text search": "SELECT count(to_tsquery(CASE WHEN email = '{email}' THEN '& &' ELSE 'a' END)) FROM customers",
    "date out of range": "SELECT max(make_date(CASE stock_level WHEN {stock} THEN 0 ELSE 1 END, 1, 1)) FROM inventory",
    "two rows for a value": "SELECT (SELECT email FROM customers WHERE email = '{email}' "
    "OR email = (SELECT min(c.email) FROM customers AS c WHERE c.first_name NOT LIKE 'zq%'))",
    "negative limit": f"SELECT 1 LIMIT -{_SEEN}",
    "negative offset": f"SELECT 1 OFFSET -{_SEEN}",
    "step of zero": f"SELECT count(*) FROM generate_series(1, 2, 1 - {_SEEN})",
    "negative length": f"SELECT substring('abc', 1, -{_SEEN})",
    "no tiles": f"SELECT ntile(1 - {_SEEN}) OVER ()",
    "no buckets": f"SELECT width_bucket(1, 0, 2, 1 - {_SEEN})",
    "array dimensions": f"SELECT array_fill(1, ARRAY[-{_SEEN}])",
    "percentile out of range": f"SELECT percentile_cont(2.0 * {_SEEN}) WITHIN GROUP (ORDER BY cost) FROM products",
    "null as a key": "SELECT json_object_agg(CASE WHEN email = '{email}' THEN NULL ELSE email END, 1) FROM customers",
    "a key twice": "SELECT JSON_OBJECTAGG(CASE WHEN email = '{email}' THEN (SELECT min(c.email) FROM customers AS c) "
    "ELSE email END : 1 WITH UNIQUE KEYS) FROM customers",
    "array element": "SELECT max((ARRAY['1', email])[CASE email WHEN '{email}' THEN 2 ELSE 1 END]::int) FROM customers",
    "recursion": "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, customers "
    "WHERE n < 2 AND email = '{email}' AND email::int > 0) SELECT count(*) FROM r",
    "union": "SELECT email FROM customers WHERE email = '{email}' AND 1 / (length(email) - length('{email}')) > 0 "
    "UNION SELECT 'nobody'",
}

HIDDEN_ROW_ORACLES: Mapping[str, str] = MappingProxyType(
    {name: sql.format_map(_VALUES) for name, sql in _ORACLES.items()}
)
