-- Who sees which rows. The (SELECT ...) makes the check an InitPlan, evaluated once a statement: a bare call may run per row.
-- FORCE binds the owner too; there is no policy for the owner, so not even the owner reads tenant rows by accident.

ALTER TABLE retail.stores ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE retail.customers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE retail.inventory ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE retail.orders ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE retail.order_items ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY stores_in_scope ON retail.stores FOR SELECT TO zava_reader
    USING (store_id = ANY ((SELECT guard.current_store_ids())::uuid[]));
CREATE POLICY stores_in_scope ON retail.customers FOR SELECT TO zava_reader
    USING (store_id = ANY ((SELECT guard.current_store_ids())::uuid[]));
CREATE POLICY stores_in_scope ON retail.inventory FOR SELECT TO zava_reader
    USING (store_id = ANY ((SELECT guard.current_store_ids())::uuid[]));
CREATE POLICY stores_in_scope ON retail.orders FOR SELECT TO zava_reader
    USING (store_id = ANY ((SELECT guard.current_store_ids())::uuid[]));
CREATE POLICY stores_in_scope ON retail.order_items FOR SELECT TO zava_reader
    USING (store_id = ANY ((SELECT guard.current_store_ids())::uuid[]));

GRANT USAGE ON SCHEMA retail TO zava_reader, zava_app;
GRANT SELECT ON retail.stores, retail.customers, retail.categories, retail.product_types, retail.products, retail.inventory,
    retail.orders, retail.order_items, retail.product_description_embeddings TO zava_reader;
GRANT SELECT ON retail.categories, retail.product_types, retail.products TO zava_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON retail.product_description_embeddings TO zava_app;
