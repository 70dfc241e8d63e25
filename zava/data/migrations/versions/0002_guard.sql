-- Schema guard: the keys that verify a tenant context, the verifying function, and the directory of stores.
-- Everything here belongs to zava_guard, a role that cannot log in and that nobody who answers calls is a member of.
SET LOCAL ROLE zava_guard;

CREATE TABLE guard.context_key (
    key_id     text PRIMARY KEY CHECK (key_id ~ '^[a-z0-9]{1,16}$'),
    inner_pad  bytea NOT NULL CHECK (length(inner_pad) = 64),
    outer_pad  bytea NOT NULL CHECK (length(outer_pad) = 64),
    not_after  timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE guard.context_key IS 'HMAC pads of the signing keys, as good as the keys; not_after ends a key that was rotated out.';

CREATE TABLE guard.store_directory (
    store_id   uuid PRIMARY KEY,
    store_name text NOT NULL,
    region     text NOT NULL
);
COMMENT ON TABLE guard.store_directory IS 'Copy of retail.stores without row security, kept by a trigger, read by zava_app alone.';

-- Format, expiry and HMAC of the setting (zava/data/tenant_context.py writes it). Anything wrong means: no store.
-- No EXCEPTION block: a subtransaction fails under a parallel plan; the regular expression makes the casts safe instead.
-- plpgsql because its plans are cached over calls. HMAC from the built-in sha256(): no pgcrypto needed.
CREATE FUNCTION guard.current_store_ids() RETURNS uuid[]
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    context   text := current_setting('zava.tenant_context', true);
    key       guard.context_key;
    remaining double precision;
BEGIN
    IF context IS NULL OR context !~ ('^[a-z0-9]{1,16}[|][0-9]{10}[|][0-9a-f]{64}[|]'
        '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(,[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})*[|][0-9a-f]{64}$')
    THEN RETURN '{}'; END IF;
    SELECT * INTO key FROM guard.context_key AS k
     WHERE k.key_id = split_part(context, '|', 1) AND (k.not_after IS NULL OR k.not_after > statement_timestamp());
    IF NOT FOUND THEN RETURN '{}'; END IF;
    remaining := split_part(context, '|', 2)::bigint - extract(epoch FROM statement_timestamp());
    -- A context lives 60 seconds; the upper bound leaves room for a clock that runs a minute ahead.
    IF remaining <= 0 OR remaining > 120 THEN RETURN '{}'; END IF;
    IF sha256(key.outer_pad || sha256(key.inner_pad || convert_to(left(context, -65), 'UTF8'))) <> decode(right(context, 64), 'hex')
    THEN RETURN '{}'; END IF;
    RETURN string_to_array(split_part(context, '|', 4), ',')::uuid[];
END $$;
COMMENT ON FUNCTION guard.current_store_ids() IS 'Store ids of the verified tenant context, or an empty array.';

CREATE FUNCTION guard.keep_store_directory() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN DELETE FROM guard.store_directory; RETURN NULL; END IF;
    IF TG_OP <> 'INSERT' THEN DELETE FROM guard.store_directory AS d WHERE d.store_id = OLD.store_id; END IF;
    IF TG_OP <> 'DELETE' THEN INSERT INTO guard.store_directory VALUES (NEW.store_id, NEW.store_name, NEW.region); END IF;
    RETURN NULL;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA guard FROM PUBLIC;
GRANT USAGE ON SCHEMA guard TO zava_reader, zava_app, zava_owner;
GRANT EXECUTE ON FUNCTION guard.current_store_ids() TO zava_reader;
GRANT EXECUTE ON FUNCTION guard.keep_store_directory() TO zava_owner;
GRANT SELECT ON guard.store_directory TO zava_app;

SET LOCAL ROLE zava_owner;

CREATE TRIGGER keep_store_directory AFTER INSERT OR UPDATE OR DELETE ON retail.stores
    FOR EACH ROW EXECUTE FUNCTION guard.keep_store_directory();
CREATE TRIGGER empty_store_directory AFTER TRUNCATE ON retail.stores
    FOR EACH STATEMENT EXECUTE FUNCTION guard.keep_store_directory();
