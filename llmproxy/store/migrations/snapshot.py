# ruff: noqa: E501
"""The schema that L{llmproxy.store.newdatabase} makes; written by C{python -m tests.store.snapshot}."""

REVISION = "0008"

STATEMENTS = (
    """CREATE TABLE admins (
    id VARCHAR(64) NOT NULL,
    name VARCHAR(64) NOT NULL,
    taken_name VARCHAR(64),
    token_hash VARCHAR(64) NOT NULL,
    hint VARCHAR(64) NOT NULL,
    role VARCHAR(16) NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT,
    PRIMARY KEY (id),
    CONSTRAINT uq_admins_taken_name UNIQUE (taken_name),
    CONSTRAINT uq_admins_token_hash UNIQUE (token_hash),
    CONSTRAINT ck_admins_role CHECK (role IN ('owner', 'operator', 'auditor'))
)""",
    """CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)""",
    """CREATE TABLE audit_chains (
    id VARCHAR(64) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    records BIGINT NOT NULL,
    head VARCHAR(64) NOT NULL,
    started_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE TABLE audit_events (
    id VARCHAR(64) NOT NULL,
    timestamp BIGINT NOT NULL,
    action VARCHAR(64) NOT NULL,
    actor VARCHAR(191) NOT NULL,
    project_id VARCHAR(64),
    request_id VARCHAR(191),
    correlation_id VARCHAR(191),
    client_ip VARCHAR(45),
    method VARCHAR(32),
    path TEXT,
    user_agent TEXT,
    outcome VARCHAR(16) NOT NULL,
    reason TEXT,
    token_id VARCHAR(64),
    metadata TEXT, chain VARCHAR(64), seq BIGINT, prev VARCHAR(64), hash VARCHAR(64),
    PRIMARY KEY (id),
    CONSTRAINT ck_audit_events_outcome CHECK (outcome IN ('success', 'failure', 'denied', 'error'))
)""",
    """CREATE TABLE changes (
    id BIGINT NOT NULL,
    what VARCHAR(16) NOT NULL,
    which VARCHAR(64) NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE TABLE counters (
    name VARCHAR(64) NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (name)
)""",
    """CREATE TABLE ended_tokens (
    id VARCHAR(64) NOT NULL,
    name VARCHAR(255),
    project_id VARCHAR(64) NOT NULL,
    ended_at BIGINT NOT NULL,
    removed_at BIGINT NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE TABLE idempotency_keys (
    actor VARCHAR(64) NOT NULL,
    key_hash VARCHAR(64) NOT NULL,
    fingerprint VARCHAR(64) NOT NULL,
    begun_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    status INTEGER,
    answer TEXT,
    PRIMARY KEY (actor, key_hash)
)""",
    """CREATE TABLE leases (
    holder VARCHAR(32) NOT NULL,
    token_id VARCHAR(64) NOT NULL,
    size BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (holder, token_id)
)""",
    """CREATE TABLE project_keys (
    project_id VARCHAR(64) NOT NULL,
    api VARCHAR(64) NOT NULL,
    position INTEGER NOT NULL,
    api_key TEXT NOT NULL,
    PRIMARY KEY (project_id, api, position),
    CONSTRAINT fk_project_keys_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
)""",
    """CREATE TABLE projects (
    id VARCHAR(64) NOT NULL,
    name VARCHAR(255) NOT NULL,
    api_key TEXT NOT NULL,
    is_active BOOLEAN DEFAULT 1 NOT NULL,
    deactivated_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    metadata TEXT, version BIGINT DEFAULT '1' NOT NULL, api_key_for VARCHAR(64),
    PRIMARY KEY (id),
    CONSTRAINT uq_projects_name UNIQUE (name)
)""",
    """CREATE TABLE settings (
    name VARCHAR(64) NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name)
)""",
    """CREATE TABLE tokens (
    id VARCHAR(64) NOT NULL,
    token_hash VARCHAR(64) NOT NULL,
    hint VARCHAR(64) NOT NULL,
    project_id VARCHAR(64) NOT NULL,
    name VARCHAR(255),
    metadata TEXT,
    expires_at BIGINT,
    is_active BOOLEAN DEFAULT 1 NOT NULL,
    deactivated_at BIGINT,
    request_count BIGINT DEFAULT '0' NOT NULL,
    leased BIGINT DEFAULT '0' NOT NULL,
    max_requests BIGINT,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    cache_hit_count BIGINT DEFAULT '0' NOT NULL, version BIGINT DEFAULT '1' NOT NULL, previous_hash VARCHAR(64), previous_until BIGINT, reserved_lost BIGINT DEFAULT '0' NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_tokens_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_tokens_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE,
    CONSTRAINT ck_tokens_max_requests CHECK (max_requests IS NULL OR max_requests > 0)
)""",
    """CREATE TABLE writings (
    id VARCHAR(32) NOT NULL,
    happened BOOLEAN NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE INDEX ix_audit_events_action_timestamp ON audit_events (action, timestamp, id)""",
    """CREATE INDEX ix_audit_events_actor_timestamp ON audit_events (actor, timestamp, id)""",
    """CREATE INDEX ix_audit_events_client_ip_action ON audit_events (client_ip, action)""",
    """CREATE INDEX ix_audit_events_correlation_id ON audit_events (correlation_id)""",
    """CREATE INDEX ix_audit_events_outcome ON audit_events (outcome)""",
    """CREATE INDEX ix_audit_events_project_id_timestamp ON audit_events (project_id, timestamp, id)""",
    """CREATE INDEX ix_audit_events_request_id ON audit_events (request_id)""",
    """CREATE INDEX ix_audit_events_timestamp_id ON audit_events (timestamp, id)""",
    """CREATE INDEX ix_audit_events_token_id ON audit_events (token_id)""",
    """CREATE INDEX ix_changes_made_at ON changes (made_at)""",
    """CREATE INDEX ix_ended_tokens_project_id ON ended_tokens (project_id, id)""",
    """CREATE INDEX ix_idempotency_keys_expires_at ON idempotency_keys (expires_at)""",
    """CREATE INDEX ix_leases_seen_at ON leases (seen_at)""",
    """CREATE INDEX ix_tokens_created_at ON tokens (created_at, id)""",
    """CREATE INDEX ix_tokens_expires_at ON tokens (expires_at)""",
    """CREATE INDEX ix_tokens_is_active_created_at ON tokens (is_active, created_at, id)""",
    """CREATE INDEX ix_tokens_previous_hash ON tokens (previous_hash)""",
    """CREATE INDEX ix_tokens_project_id_created_at ON tokens (project_id, created_at, id)""",
    """CREATE INDEX ix_writings_made_at ON writings (made_at)""",
    """CREATE UNIQUE INDEX uq_audit_events_chain_seq ON audit_events (chain, seq)""",
    """INSERT INTO alembic_version VALUES ('0008')""",
    """INSERT INTO counters VALUES ('changes', 0)""",
    """INSERT INTO settings VALUES ('schema.oldest', '0008')""",
)
