-- Product search by words and by meaning, and what keeps the vectors fresh. Vectors get an index only when there are many
-- of them, one a model (zava/data/embedding_models.py): below about 10 000 the exact scan is as fast and misses nothing.

-- An index on an expression instead of a column: SELECT * on products stays what a reader wants to see. The expression
-- stands in zava/data/product_search.py too, and must be the same to the letter.
CREATE INDEX products_document ON retail.products
    USING gin (to_tsvector('english', sku || ' ' || product_name || ' ' || product_description));

CREATE TABLE zava.active_embedding_model (
    only_row        boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    embedding_model text NOT NULL,
    active_since    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE zava.active_embedding_model IS 'The model whose vectors search compares; one row, none before the first refresh.';

CREATE TABLE zava.embedding_run (
    run_id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    embedding_model text NOT NULL,
    started_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    outcome         text CHECK (outcome IN ('completed', 'stopped', 'failed', 'abandoned')),
    seen            bigint NOT NULL DEFAULT 0,
    embedded        bigint NOT NULL DEFAULT 0,
    refused         bigint NOT NULL DEFAULT 0,
    requests        bigint NOT NULL DEFAULT 0,
    tokens          bigint NOT NULL DEFAULT 0,
    problem         text,
    CHECK ((outcome IS NULL) = (finished_at IS NULL))
);
COMMENT ON TABLE zava.embedding_run IS 'Refreshes of the embeddings, kept for 90 days; abandoned: its process was killed.';

CREATE TABLE zava.embedding_lease (
    embedding_model text PRIMARY KEY,
    run_id          bigint NOT NULL,
    holds_until     timestamptz NOT NULL
);
COMMENT ON TABLE zava.embedding_lease IS 'Which run may write a model''s vectors, and until when unless it says so again; a row, because locks end with each commit behind a pooler.';

CREATE TABLE zava.refused_text (
    product_id      uuid NOT NULL REFERENCES retail.products ON DELETE CASCADE,
    embedding_model text NOT NULL,
    content_hash    text NOT NULL,
    reason          text NOT NULL,
    refused_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (product_id, embedding_model)
);
COMMENT ON TABLE zava.refused_text IS 'Texts that a model does not take; tried again when the text has changed.';

GRANT USAGE ON SCHEMA zava TO zava_app;
GRANT SELECT, INSERT, UPDATE ON zava.active_embedding_model TO zava_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON zava.embedding_run, zava.embedding_lease, zava.refused_text TO zava_app;

CREATE FUNCTION retail.embedding_index_name(model text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT 'embeddings_' || left(encode(sha256(convert_to(model, 'UTF8')), 'hex'), 16) $$;
COMMENT ON FUNCTION retail.embedding_index_name(text) IS 'Name of the partial index over one model''s vectors.';

-- Dynamic SQL, because a partial index serves only a query that names its model as a literal, and only one that orders
-- by the very expression it is made of. The limit stands inside, the threshold outside: a threshold in the scan's WHERE
-- would make it walk the whole index. The final order is that of the exact distances.
CREATE FUNCTION retail.search_products_by_description(
    query_embedding      public.vector,
    similarity_threshold double precision DEFAULT 0.3,
    max_results          integer DEFAULT 20,
    model                text DEFAULT NULL
) RETURNS TABLE (product_id uuid, similarity double precision)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 50
SET search_path = pg_catalog, pg_temp
SET hnsw.ef_search = 200
AS $$
DECLARE
    searched text := model;
    distance text := 'e.description_embedding OPERATOR(public.<=>) $1';
BEGIN
    IF searched IS NULL THEN
        SELECT a.embedding_model INTO searched FROM zava.active_embedding_model AS a;
    END IF;
    IF EXISTS (SELECT FROM pg_index AS i
               WHERE i.indexrelid = to_regclass('retail.' || retail.embedding_index_name(searched)) AND i.indisvalid) THEN
        distance := 'e.description_embedding::public.halfvec(1536) OPERATOR(public.<=>) $1::public.halfvec(1536)';
    END IF;
    RETURN QUERY EXECUTE format(
        'WITH nearest AS MATERIALIZED (
             SELECT e.product_id, e.description_embedding FROM retail.product_description_embeddings AS e
             WHERE e.embedding_model = %L ORDER BY %s LIMIT $2
         ), measured AS (
             SELECT n.product_id, 1 - (n.description_embedding OPERATOR(public.<=>) $1) AS similarity FROM nearest AS n
         )
         SELECT m.product_id, m.similarity FROM measured AS m WHERE m.similarity >= $3
         ORDER BY m.similarity DESC, m.product_id', searched, distance)
        USING query_embedding, least(max_results, 200), similarity_threshold;
END $$;
COMMENT ON FUNCTION retail.search_products_by_description(public.vector, double precision, integer, text) IS
    'Products nearest to a vector of 1536 numbers, at most 200, with their similarity from -1 to 1; among one model''s vectors, by default those of the active model.';

REVOKE ALL ON FUNCTION retail.embedding_index_name(text),
    retail.search_products_by_description(public.vector, double precision, integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION retail.embedding_index_name(text),
    retail.search_products_by_description(public.vector, double precision, integer, text) TO zava_reader, zava_app;
