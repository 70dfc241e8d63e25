-- The retail tables. Every tenant row carries store_id; two-column foreign keys keep a repeated store from drifting.

CREATE TABLE retail.stores (
    store_id   uuid PRIMARY KEY,
    store_name text NOT NULL UNIQUE,
    location   text NOT NULL,
    region     text NOT NULL,
    is_online  boolean NOT NULL DEFAULT false,
    manager_id uuid,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE retail.stores IS 'Stores of the retailer; one row per store the caller may see.';
COMMENT ON COLUMN retail.stores.store_id IS 'Identifier of the store, in every table.';
COMMENT ON COLUMN retail.stores.store_name IS 'Display name of the store.';
COMMENT ON COLUMN retail.stores.location IS 'City and state, or Online.';
COMMENT ON COLUMN retail.stores.region IS 'Sales region the store belongs to.';
COMMENT ON COLUMN retail.stores.is_online IS 'True for the online store.';
COMMENT ON COLUMN retail.stores.manager_id IS 'Identifier of the store''s manager, if one is appointed.';
COMMENT ON COLUMN retail.stores.created_at IS 'When the store was entered.';

CREATE TABLE retail.customers (
    customer_id uuid PRIMARY KEY,
    store_id    uuid NOT NULL REFERENCES retail.stores,
    first_name  text NOT NULL,
    last_name   text NOT NULL,
    email       text NOT NULL UNIQUE,
    phone       text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (customer_id, store_id)
);
COMMENT ON TABLE retail.customers IS 'Customers, each belonging to one store.';
COMMENT ON COLUMN retail.customers.customer_id IS 'Identifier of the customer.';
COMMENT ON COLUMN retail.customers.store_id IS 'Store the customer belongs to and orders from.';
COMMENT ON COLUMN retail.customers.first_name IS 'Given name.';
COMMENT ON COLUMN retail.customers.last_name IS 'Family name.';
COMMENT ON COLUMN retail.customers.email IS 'E-mail address, unique over all customers.';
COMMENT ON COLUMN retail.customers.phone IS 'Telephone number, if known.';
COMMENT ON COLUMN retail.customers.created_at IS 'When the customer was first entered; use it for new-customer counts.';

CREATE TABLE retail.categories (
    category_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    category_name text NOT NULL UNIQUE
);
COMMENT ON TABLE retail.categories IS 'Product categories, the same for every store.';
COMMENT ON COLUMN retail.categories.category_id IS 'Identifier of the category.';
COMMENT ON COLUMN retail.categories.category_name IS 'Display name of the category.';

CREATE TABLE retail.product_types (
    type_id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    category_id integer NOT NULL REFERENCES retail.categories,
    type_name   text NOT NULL,
    UNIQUE (category_id, type_name),
    UNIQUE (type_id, category_id)
);
COMMENT ON TABLE retail.product_types IS 'Kinds of products within a category, the same for every store.';
COMMENT ON COLUMN retail.product_types.type_id IS 'Identifier of the product type.';
COMMENT ON COLUMN retail.product_types.category_id IS 'Category the type belongs to.';
COMMENT ON COLUMN retail.product_types.type_name IS 'Display name of the type.';

CREATE TABLE retail.products (
    product_id           uuid PRIMARY KEY,
    sku                  text NOT NULL UNIQUE,
    product_name         text NOT NULL,
    category_id          integer NOT NULL REFERENCES retail.categories,
    type_id              integer NOT NULL,
    cost                 numeric(10, 2) NOT NULL CHECK (cost >= 0),
    base_price           numeric(10, 2) NOT NULL CHECK (base_price >= 0),
    gross_margin_percent numeric(5, 2) NOT NULL,
    product_description  text NOT NULL,
    discontinued         boolean NOT NULL DEFAULT false,
    updated_at           timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (type_id, category_id) REFERENCES retail.product_types (type_id, category_id)
);
COMMENT ON TABLE retail.products IS 'The catalogue, the same for every store.';
COMMENT ON COLUMN retail.products.product_id IS 'Identifier of the product.';
COMMENT ON COLUMN retail.products.sku IS 'Stock-keeping unit, unique, for example HT-HAM-001.';
COMMENT ON COLUMN retail.products.product_name IS 'Display name.';
COMMENT ON COLUMN retail.products.category_id IS 'Category of the product.';
COMMENT ON COLUMN retail.products.type_id IS 'Type of the product within its category.';
COMMENT ON COLUMN retail.products.cost IS 'What one piece costs Zava, US dollars.';
COMMENT ON COLUMN retail.products.base_price IS 'List price of one piece before discounts, US dollars.';
COMMENT ON COLUMN retail.products.gross_margin_percent IS 'Margin at list price: (base_price - cost) / base_price, percent.';
COMMENT ON COLUMN retail.products.product_description IS 'What the product is and what it is good for.';
COMMENT ON COLUMN retail.products.discontinued IS 'True when the product is no longer sold.';
COMMENT ON COLUMN retail.products.updated_at IS 'When the product was last changed.';

CREATE TABLE retail.inventory (
    store_id    uuid NOT NULL REFERENCES retail.stores,
    product_id  uuid NOT NULL REFERENCES retail.products,
    stock_level integer NOT NULL CHECK (stock_level >= 0),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (store_id, product_id)
);
COMMENT ON TABLE retail.inventory IS 'Pieces in stock, per store and product.';
COMMENT ON COLUMN retail.inventory.store_id IS 'Store that holds the stock.';
COMMENT ON COLUMN retail.inventory.product_id IS 'Product in stock.';
COMMENT ON COLUMN retail.inventory.stock_level IS 'Pieces on hand.';
COMMENT ON COLUMN retail.inventory.updated_at IS 'When the level was last counted.';

CREATE TABLE retail.orders (
    order_id     uuid PRIMARY KEY,
    customer_id  uuid NOT NULL,
    store_id     uuid NOT NULL REFERENCES retail.stores,
    order_date   timestamptz NOT NULL,
    total_amount numeric(12, 2) NOT NULL CHECK (total_amount >= 0),
    status       text NOT NULL CHECK (status IN ('completed', 'processing', 'returned', 'cancelled')),
    UNIQUE (order_id, store_id),
    FOREIGN KEY (customer_id, store_id) REFERENCES retail.customers (customer_id, store_id)
);
COMMENT ON TABLE retail.orders IS 'Orders, one row per order; the lines are in order_items.';
COMMENT ON COLUMN retail.orders.order_id IS 'Identifier of the order.';
COMMENT ON COLUMN retail.orders.customer_id IS 'Customer who ordered.';
COMMENT ON COLUMN retail.orders.store_id IS 'Store that sold.';
COMMENT ON COLUMN retail.orders.order_date IS 'When the order was placed (UTC).';
COMMENT ON COLUMN retail.orders.total_amount IS 'Sum of the lines'' total_amount, US dollars.';
COMMENT ON COLUMN retail.orders.status IS 'State of the order; revenue counts completed and processing.';

CREATE TABLE retail.order_items (
    order_item_id    uuid PRIMARY KEY,
    order_id         uuid NOT NULL,
    store_id         uuid NOT NULL,
    product_id       uuid NOT NULL REFERENCES retail.products,
    quantity         integer NOT NULL CHECK (quantity > 0),
    unit_price       numeric(10, 2) NOT NULL CHECK (unit_price >= 0),
    discount_percent integer NOT NULL DEFAULT 0 CHECK (discount_percent BETWEEN 0 AND 100),
    discount_amount  numeric(10, 2) NOT NULL DEFAULT 0 CHECK (discount_amount >= 0),
    total_amount     numeric(12, 2) NOT NULL,
    CHECK (total_amount = quantity * unit_price - discount_amount),
    FOREIGN KEY (order_id, store_id) REFERENCES retail.orders (order_id, store_id)
);
COMMENT ON TABLE retail.order_items IS 'Lines of the orders, one row per product in an order.';
COMMENT ON COLUMN retail.order_items.order_item_id IS 'Identifier of the line.';
COMMENT ON COLUMN retail.order_items.order_id IS 'Order the line belongs to.';
COMMENT ON COLUMN retail.order_items.store_id IS 'Store that sold; always the order''s store.';
COMMENT ON COLUMN retail.order_items.product_id IS 'Product sold.';
COMMENT ON COLUMN retail.order_items.quantity IS 'Pieces sold.';
COMMENT ON COLUMN retail.order_items.unit_price IS 'Price of one piece before the discount, US dollars.';
COMMENT ON COLUMN retail.order_items.discount_percent IS 'Discount on the line, percent.';
COMMENT ON COLUMN retail.order_items.discount_amount IS 'Discount on the line, US dollars.';
COMMENT ON COLUMN retail.order_items.total_amount IS 'quantity * unit_price - discount_amount, US dollars.';

CREATE TABLE retail.product_description_embeddings (
    product_id            uuid NOT NULL REFERENCES retail.products ON DELETE CASCADE,
    embedding_model       text NOT NULL,
    description_embedding vector(1536) NOT NULL,
    content_hash          text NOT NULL,
    last_updated          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (product_id, embedding_model)
);
COMMENT ON TABLE retail.product_description_embeddings IS 'Vectors of product texts for semantic search, one row per product and model.';
COMMENT ON COLUMN retail.product_description_embeddings.product_id IS 'Product whose text was embedded.';
COMMENT ON COLUMN retail.product_description_embeddings.embedding_model IS 'Model that made the vector; never compare vectors of two models.';
COMMENT ON COLUMN retail.product_description_embeddings.description_embedding IS 'Compare two with <=> (cosine distance); do not print it.';
COMMENT ON COLUMN retail.product_description_embeddings.content_hash IS 'SHA-256 of the embedded text.';
COMMENT ON COLUMN retail.product_description_embeddings.last_updated IS 'When the vector was made.';

CREATE INDEX orders_store_date ON retail.orders (store_id, order_date DESC);
CREATE INDEX orders_date_amount ON retail.orders (order_date, total_amount);
CREATE INDEX orders_customer ON retail.orders (customer_id);
CREATE INDEX order_items_order ON retail.order_items (order_id);
CREATE INDEX order_items_product ON retail.order_items (product_id);
-- The covering index serves the row-security condition from the index alone: without it, row security costs 1.5 to 4 times.
CREATE INDEX order_items_store ON retail.order_items (store_id) INCLUDE (order_id, product_id, quantity, total_amount);
CREATE INDEX customers_store_email ON retail.customers (store_id, email);
CREATE INDEX products_category_price ON retail.products (category_id, base_price);
