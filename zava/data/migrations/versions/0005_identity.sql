-- Who may see what beside their token, who may see nothing any more, and how often anybody may call.
-- The app login reads the first three and keeps the last; only an administrator (as zava_owner) changes the others.
GRANT USAGE ON SCHEMA zava TO zava_app;

CREATE TABLE zava.grants (
    issuer     text NOT NULL CHECK (issuer <> ''),
    subject    text NOT NULL CHECK (subject <> ''),
    stores     uuid[] NOT NULL DEFAULT '{}',
    regions    text[] NOT NULL DEFAULT '{}',
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject),
    CHECK (cardinality(stores) + cardinality(regions) > 0)
);
COMMENT ON TABLE zava.grants IS 'Stores and regions of a subject whose token carries no claim about them.';

CREATE TABLE zava.revoked_tokens (
    token_id   text PRIMARY KEY CHECK (token_id <> ''),
    revoked_at timestamptz NOT NULL DEFAULT now(),
    keep_until timestamptz NOT NULL
);
COMMENT ON TABLE zava.revoked_tokens IS 'Tokens (jti, or uti of Entra ID) refused until they have expired anyway.';

CREATE TABLE zava.revoked_subjects (
    issuer     text NOT NULL CHECK (issuer <> ''),
    subject    text NOT NULL CHECK (subject <> ''),
    not_before timestamptz NOT NULL DEFAULT now(),
    keep_until timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);
COMMENT ON TABLE zava.revoked_subjects IS 'Subjects whose tokens issued up to not_before are refused.';

GRANT SELECT ON zava.grants, zava.revoked_tokens, zava.revoked_subjects TO zava_app;

-- Unlogged: a crash forgets who called when, which costs nobody more than one burst, and no call waits for the WAL.
CREATE UNLOGGED TABLE zava.call_rates (
    caller  text PRIMARY KEY CHECK (length(caller) = 64),
    free_at double precision NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE zava.call_rates IS 'For each caller (a hash) the second since 1970 at which its allowance is full again.';
CREATE INDEX call_rates_free_at ON zava.call_rates (free_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON zava.call_rates TO zava_app;

CREATE FUNCTION zava.forget_idle_callers() RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM zava.call_rates WHERE caller IN (
        SELECT caller FROM zava.call_rates WHERE free_at < extract(epoch FROM clock_timestamp())
        ORDER BY free_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION zava.forget_idle_callers() IS 'Deletes rows that say no more than a missing one does.';

-- The generic cell rate algorithm (ITU-T I.371): one number a caller, exact under concurrency by the row's lock.
CREATE FUNCTION zava.take_call(the_caller text, seconds_per_call double precision, burst integer) RETURNS double precision
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    this_moment double precision := extract(epoch FROM clock_timestamp());
    latest      double precision := this_moment + burst * seconds_per_call;
    waiting     double precision;
BEGIN
    INSERT INTO zava.call_rates AS r (caller, free_at) VALUES (the_caller, this_moment + seconds_per_call)
    ON CONFLICT (caller) DO UPDATE SET free_at = greatest(r.free_at, this_moment) + seconds_per_call
     WHERE greatest(r.free_at, this_moment) + seconds_per_call <= latest;
    IF FOUND THEN
        -- Now and then, so that the table does not outgrow the callers of the last minutes.
        IF random() < 0.002 THEN PERFORM zava.forget_idle_callers(); END IF;
        RETURN 0;
    END IF;
    SELECT r.free_at + seconds_per_call - latest INTO waiting FROM zava.call_rates AS r WHERE r.caller = the_caller;
    RETURN greatest(coalesce(waiting, 0), 0.001);
END $$;
COMMENT ON FUNCTION zava.take_call(text, double precision, integer) IS '0 when the caller may call now, else the seconds until it may.';

REVOKE ALL ON FUNCTION zava.forget_idle_callers() FROM PUBLIC;
REVOKE ALL ON FUNCTION zava.take_call(text, double precision, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION zava.forget_idle_callers() TO zava_app;
GRANT EXECUTE ON FUNCTION zava.take_call(text, double precision, integer) TO zava_app;
