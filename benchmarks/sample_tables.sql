-- The rows of schema retail once more, in the Zava sample's own shape: integer keys, the store's UUID in rls_user_id,
-- order dates without a time, its indexes, and its policies (a text comparison by way of the stores, a row at a time).
CREATE SCHEMA sample;
CREATE ROLE store_manager LOGIN;
ALTER ROLE store_manager SET search_path = sample;

CREATE TABLE sample.stores AS
SELECT row_number() OVER (ORDER BY store_name)::int AS store_id, store_name, store_id AS rls_user_id, is_online FROM retail.stores;
ALTER TABLE sample.stores ADD PRIMARY KEY (store_id), ADD UNIQUE (store_name);

CREATE TABLE sample.orders AS
SELECT row_number() OVER (ORDER BY o.order_date, o.order_id)::int AS order_id,
       dense_rank() OVER (ORDER BY o.customer_id)::int AS customer_id, s.store_id, o.order_date::date AS order_date,
       o.order_id AS original
FROM retail.orders AS o JOIN sample.stores AS s ON s.rls_user_id = o.store_id;

CREATE TABLE sample.order_items AS
SELECT row_number() OVER ()::int AS order_item_id, o.order_id, o.store_id, p.product_id, i.quantity, i.unit_price,
       i.discount_percent, i.discount_amount, i.total_amount
FROM retail.order_items AS i
JOIN sample.orders AS o ON o.original = i.order_id
JOIN (SELECT product_id AS original, row_number() OVER (ORDER BY sku)::int AS product_id FROM retail.products) AS p
  ON p.original = i.product_id
ORDER BY o.order_id;

ALTER TABLE sample.orders DROP COLUMN original, ADD PRIMARY KEY (order_id),
    ADD FOREIGN KEY (store_id) REFERENCES sample.stores;
ALTER TABLE sample.order_items ADD PRIMARY KEY (order_item_id),
    ADD FOREIGN KEY (order_id) REFERENCES sample.orders, ADD FOREIGN KEY (store_id) REFERENCES sample.stores;

CREATE INDEX ON sample.stores (store_name);
CREATE INDEX ON sample.orders (customer_id);
CREATE INDEX ON sample.orders (store_id);
CREATE INDEX ON sample.orders (order_date);
CREATE INDEX ON sample.orders (customer_id, order_date);
CREATE INDEX ON sample.orders (store_id, order_date);
CREATE INDEX ON sample.order_items (order_id);
CREATE INDEX ON sample.order_items (store_id);
CREATE INDEX ON sample.order_items (product_id);
CREATE INDEX ON sample.order_items (total_amount);
CREATE INDEX ON sample.order_items (order_id, store_id, product_id, total_amount, quantity);

ALTER TABLE sample.stores ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON sample.stores USING (true);
ALTER TABLE sample.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_store ON sample.orders USING (
    current_setting('app.current_rls_user_id', true) = '00000000-0000-0000-0000-000000000000'
    OR EXISTS (SELECT FROM sample.stores AS s WHERE s.store_id = orders.store_id
               AND s.rls_user_id::text = current_setting('app.current_rls_user_id', true)));
ALTER TABLE sample.order_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_store ON sample.order_items USING (
    current_setting('app.current_rls_user_id', true) = '00000000-0000-0000-0000-000000000000'
    OR EXISTS (SELECT FROM sample.stores AS s WHERE s.store_id = order_items.store_id
               AND s.rls_user_id::text = current_setting('app.current_rls_user_id', true)));

GRANT USAGE ON SCHEMA sample TO store_manager;
GRANT SELECT ON ALL TABLES IN SCHEMA sample TO store_manager;
