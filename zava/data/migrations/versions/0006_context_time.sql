-- A context that was confirmed when its transaction began holds until that transaction ends: times are those of the
-- transaction, not of each statement. Else a key (or a context) whose time ran out between the statement that opens a
-- call and the one that answers it would have made that answer empty, where an error belongs.
SET LOCAL ROLE zava_guard;

CREATE OR REPLACE FUNCTION guard.current_store_ids() RETURNS uuid[]
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
     WHERE k.key_id = split_part(context, '|', 1) AND (k.not_after IS NULL OR k.not_after > transaction_timestamp());
    IF NOT FOUND THEN RETURN '{}'; END IF;
    remaining := split_part(context, '|', 2)::bigint - extract(epoch FROM transaction_timestamp());
    -- A context lives 60 seconds; the upper bound leaves room for a clock that runs a minute ahead.
    IF remaining <= 0 OR remaining > 120 THEN RETURN '{}'; END IF;
    IF sha256(key.outer_pad || sha256(key.inner_pad || convert_to(left(context, -65), 'UTF8'))) <> decode(right(context, 64), 'hex')
    THEN RETURN '{}'; END IF;
    RETURN string_to_array(split_part(context, '|', 4), ',')::uuid[];
END $$;

SET LOCAL ROLE zava_owner;
