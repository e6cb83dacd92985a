-- A company manages itself: people and roles, second factors, keys with scopes and rotation, plans that
-- change, tickets, exports and erasure.

-- people --------------------------------------------------------------------------------------------

-- A secret of TOTP (RFC 6238) is sealed; the last step that was used is kept, so that a code works once.
ALTER TABLE users
    ADD COLUMN totp_sealed bytea,
    ADD COLUMN totp_confirmed_at timestamptz,
    ADD COLUMN totp_last_step bigint NOT NULL DEFAULT 0,
    ADD COLUMN disabled_at timestamptz,
    ADD COLUMN erased_at timestamptz;

CREATE TABLE recovery_codes (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    code_hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (user_id, code_hash)
);

CREATE TABLE customer_members (
    customer_id bigint NOT NULL REFERENCES api_customers ON DELETE CASCADE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('owner', 'developer', 'billing', 'viewer')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (customer_id, user_id)
);
CREATE INDEX customer_members_by_user ON customer_members (user_id);
INSERT INTO customer_members (customer_id, user_id, role, created_at)
SELECT id, user_id, 'owner', created_at FROM api_customers;

CREATE TABLE invitations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    customer_id bigint NOT NULL REFERENCES api_customers ON DELETE CASCADE,
    email text NOT NULL CHECK (email = lower(email)),
    role text NOT NULL CHECK (role IN ('owner', 'developer', 'billing', 'viewer')),
    token_hash bytea NOT NULL UNIQUE,
    invited_by bigint REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX invitations_open ON invitations (customer_id, email)
    WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE INDEX invitations_by_customer ON invitations (customer_id);
CREATE INDEX invitations_by_user ON invitations (invited_by);

-- A browser's session has its secret in a cookie; a program's has it as the refresh token of the moment.
ALTER TABLE user_sessions
    ADD COLUMN public_id text,
    ADD COLUMN kind text NOT NULL DEFAULT 'browser' CHECK (kind IN ('browser', 'program')),
    -- Whose things are looked at; null: those of the oldest membership.
    ADD COLUMN customer_id bigint REFERENCES api_customers ON DELETE SET NULL,
    ADD COLUMN second_factor_at timestamptz,
    -- When its user last proved who they are; what a borrowed browser must not do asks for a recent proof.
    ADD COLUMN proven_at timestamptz,
    -- An administrator who looks at a customer's pages, for a while, read-only.
    ADD COLUMN impersonated_customer_id bigint REFERENCES api_customers ON DELETE SET NULL,
    ADD COLUMN impersonated_until timestamptz;
UPDATE user_sessions SET public_id = 'ses_' || substr(md5(id::text || token_hash::text), 1, 16), proven_at = created_at;
ALTER TABLE user_sessions
    ALTER COLUMN public_id SET NOT NULL,
    ALTER COLUMN proven_at SET NOT NULL,
    ADD UNIQUE (public_id);
CREATE INDEX user_sessions_by_customer ON user_sessions (customer_id);
CREATE INDEX user_sessions_by_impersonated ON user_sessions (impersonated_customer_id);

-- A refresh token works once; one that comes again was stolen, and ends its session.
CREATE TABLE spent_refresh_tokens (
    token_hash bytea PRIMARY KEY,
    session_id bigint NOT NULL REFERENCES user_sessions ON DELETE CASCADE,
    spent_at timestamptz NOT NULL
);
CREATE INDEX spent_refresh_tokens_by_session ON spent_refresh_tokens (session_id);

ALTER TABLE email_challenges
    ADD COLUMN new_email text CHECK (new_email = lower(new_email)),
    DROP CONSTRAINT email_challenges_purpose_check,
    ADD CONSTRAINT email_challenges_purpose_check
        CHECK (purpose IN ('verify', 'sign_in', 'reset_password', 'change_email'));

-- customers -----------------------------------------------------------------------------------------

-- tax_id holds a sealed value, which is longer; billing_address holds {"sealed": "..."} (B45).
ALTER TABLE api_customers
    ALTER COLUMN tax_id TYPE text,
    ADD COLUMN suspended_at timestamptz,
    ADD COLUMN suspended_reason text NOT NULL DEFAULT '',
    ADD COLUMN deactivated_at timestamptz,
    ADD COLUMN erased_at timestamptz;

-- audit ---------------------------------------------------------------------------------------------

-- Entries hold ids and a salted commitment; addresses and names stand beside them, where erasure may
-- empty them without breaking the proof (X30).
CREATE TABLE audit_persons (
    entry_id bigint PRIMARY KEY REFERENCES audit_entries,
    customer_id bigint,
    user_id bigint,
    actor_name text NOT NULL DEFAULT '',
    ip_address inet,
    salt bytea NOT NULL
);
CREATE INDEX audit_persons_by_customer ON audit_persons (customer_id);
CREATE INDEX audit_persons_by_user ON audit_persons (user_id);
CREATE INDEX audit_persons_by_name ON audit_persons (actor_name, entry_id);
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% may be erased from, never changed', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_persons_are_never_changed BEFORE UPDATE OR TRUNCATE ON audit_persons
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
INSERT INTO audit_persons (entry_id, customer_id, ip_address, salt)
SELECT id, customer_id, ip_address, '\x'::bytea FROM audit_entries WHERE ip_address IS NOT NULL;
ALTER TABLE audit_entries
    DROP COLUMN ip_address,
    ADD COLUMN on_behalf_of text NOT NULL DEFAULT '',
    ADD COLUMN commitment bytea;
CREATE INDEX audit_entries_by_action ON audit_entries (action, id);
CREATE INDEX audit_entries_by_actor ON audit_entries (actor, id);
CREATE INDEX audit_entries_by_subject ON audit_entries (subject, id);

-- plans ---------------------------------------------------------------------------------------------

-- What a customer wants or will get: an upgrade that waits for its payment, a downgrade or a cancellation
-- at the period's end, a change of the catalogue that its holders were told of 30 days before.
CREATE TABLE subscription_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    subscription_id bigint NOT NULL REFERENCES api_subscriptions,
    kind text NOT NULL CHECK (kind IN ('upgrade', 'downgrade', 'cancel', 'migration')),
    -- Null for a cancellation.
    plan_version_id bigint REFERENCES plan_versions,
    status text NOT NULL CHECK (status IN ('pending_payment', 'scheduled', 'applied', 'withdrawn')),
    -- Null while it waits for a payment.
    effective_at timestamptz,
    requested_by text NOT NULL,
    reason text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    settled_at timestamptz,
    CHECK ((kind = 'cancel') = (plan_version_id IS NULL)),
    CHECK ((status = 'pending_payment') <= (effective_at IS NULL))
);
CREATE UNIQUE INDEX subscription_changes_open ON subscription_changes (subscription_id)
    WHERE status IN ('pending_payment', 'scheduled');
CREATE INDEX subscription_changes_due ON subscription_changes (effective_at) WHERE status = 'scheduled';
CREATE INDEX subscription_changes_by_subscription ON subscription_changes (subscription_id, id);
CREATE INDEX subscription_changes_by_plan ON subscription_changes (plan_version_id);

-- A grant adds to what the plan gives; an override replaces it, until a day. Neither is ever changed:
-- ended_at closes it early.
CREATE TABLE entitlement_adjustments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    customer_id bigint NOT NULL REFERENCES api_customers,
    product text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('grant', 'override')),
    -- A limit's name, or feature:NAME.
    subject text NOT NULL,
    -- Null: without a bound; for a feature 1 or 0.
    amount bigint CHECK (amount >= 0),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    ended_at timestamptz,
    reason text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    CHECK (kind = 'grant' OR ends_at IS NOT NULL)
);
CREATE INDEX entitlement_adjustments_by_customer ON entitlement_adjustments (customer_id, product);

-- Which of the mails that are sent once for each subscription went out, such as free_trial_ends/3.
CREATE TABLE sent_notices (
    subscription_id bigint NOT NULL REFERENCES api_subscriptions ON DELETE CASCADE,
    notice text NOT NULL,
    sent_at timestamptz NOT NULL,
    PRIMARY KEY (subscription_id, notice)
);

-- keys ----------------------------------------------------------------------------------------------

ALTER TABLE api_keys
    ADD COLUMN scopes text[] NOT NULL DEFAULT '{read,write,admin}',
    ADD COLUMN allowed_networks text[] NOT NULL DEFAULT '{}',
    ADD COLUMN requests_per_minute_max integer CHECK (requests_per_minute_max > 0),
    -- The key that replaces this one, and until when (strictly before) both work.
    ADD COLUMN successor_id bigint REFERENCES api_keys,
    ADD COLUMN grace_until timestamptz,
    ADD COLUMN suspended_reason text NOT NULL DEFAULT '',
    ADD COLUMN revoked_at timestamptz,
    ADD COLUMN expiry_told_at timestamptz,
    ADD CHECK (scopes <@ '{read,write,admin}' AND cardinality(scopes) > 0);
CREATE INDEX api_keys_by_successor ON api_keys (successor_id);
CREATE INDEX api_keys_by_expiry ON api_keys (expires_at) WHERE status = 'active' AND expires_at IS NOT NULL;

-- support -------------------------------------------------------------------------------------------

CREATE TABLE support_tickets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    customer_id bigint NOT NULL REFERENCES api_customers,
    opened_by bigint REFERENCES users ON DELETE SET NULL,
    topic text NOT NULL,
    subject text NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'answered', 'closed')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- When a human's first answer is due, by the strictest plan held (X14).
    response_due_at timestamptz NOT NULL,
    responded_at timestamptz,
    due_soon_told_at timestamptz,
    overdue_told_at timestamptz,
    closed_at timestamptz
);
CREATE INDEX support_tickets_by_customer ON support_tickets (customer_id, id);
CREATE INDEX support_tickets_waiting ON support_tickets (response_due_at) WHERE responded_at IS NULL;
CREATE INDEX support_tickets_by_user ON support_tickets (opened_by);

CREATE TABLE ticket_messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    ticket_id bigint NOT NULL REFERENCES support_tickets ON DELETE CASCADE,
    author_id bigint REFERENCES users ON DELETE SET NULL,
    from_staff boolean NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX ticket_messages_by_ticket ON ticket_messages (ticket_id, id);
CREATE INDEX ticket_messages_by_author ON ticket_messages (author_id);

CREATE TABLE feedback_entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    customer_id bigint REFERENCES api_customers,
    user_id bigint REFERENCES users ON DELETE SET NULL,
    feature text NOT NULL,
    rating smallint CHECK (rating BETWEEN 1 AND 5),
    message text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX feedback_entries_by_customer ON feedback_entries (customer_id);
CREATE INDEX feedback_entries_by_user ON feedback_entries (user_id);

-- export and erasure --------------------------------------------------------------------------------

CREATE TABLE data_exports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    customer_id bigint NOT NULL REFERENCES api_customers,
    requested_by bigint REFERENCES users ON DELETE SET NULL,
    status text NOT NULL CHECK (status IN ('queued', 'ready', 'failed', 'expired')),
    blob_name text,
    size_bytes bigint,
    created_at timestamptz NOT NULL,
    ready_at timestamptz,
    expires_at timestamptz
);
CREATE INDEX data_exports_by_customer ON data_exports (customer_id, id);
CREATE INDEX data_exports_by_user ON data_exports (requested_by);
