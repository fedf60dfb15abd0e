BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE audit_events (
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
	metadata TEXT, 
	PRIMARY KEY (id), 
	CONSTRAINT ck_audit_events_outcome CHECK (outcome IN ('success', 'failure', 'denied', 'error'))
);
CREATE TABLE projects (
	id VARCHAR(64) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	api_key TEXT NOT NULL, 
	is_active BOOLEAN DEFAULT 1 NOT NULL, 
	deactivated_at BIGINT, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	metadata TEXT, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_projects_name UNIQUE (name)
);
INSERT INTO "projects" VALUES('p2','plain','sk-plain',0,1700000000250000,1700000000250000,1700000000250000,NULL);
INSERT INTO "projects" VALUES('p1','team é','enc:v1:lsLvqr3xp/xkRfEjJ3zVeuk1kHZNMHWKQNK4gjYcEinLLuKfPFP/JXN59Ox26hLX+ehiK5qi7w==',1,NULL,1700000000250000,1700000000250000,NULL);
CREATE TABLE settings (
	name VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "settings" VALUES('encryption_key_check','enc:v1:MbaSQ7WA0VjiXZREgJnKv8NnpGm8PYcOXe3BJb7rtS0Ku07cOX8i/rCA8qz4/zGw');
CREATE TABLE tokens (
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
	cache_hit_count BIGINT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_tokens_token_hash UNIQUE (token_hash), 
	CONSTRAINT fk_tokens_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE, 
	CONSTRAINT ck_tokens_max_requests CHECK (max_requests IS NULL OR max_requests > 0)
);
INSERT INTO "tokens" VALUES('t1','0000000000000000000000000000000000000000000000000000000000007431','sk-abcd***','p1',NULL,NULL,1700003600250000,1,NULL,7,3,100,1700000000250000,1700000000750000,0);
INSERT INTO "tokens" VALUES('t2','0000000000000000000000000000000000000000000000000000000000007432','sk-abcd***','p2',NULL,NULL,1700003600250000,0,1700000000250000,0,0,NULL,1700000000250000,NULL,0);
CREATE INDEX ix_tokens_project_id_created_at ON tokens (project_id, created_at, id);
CREATE INDEX ix_tokens_created_at ON tokens (created_at, id);
CREATE INDEX ix_tokens_expires_at ON tokens (expires_at);
CREATE INDEX ix_audit_events_timestamp ON audit_events (timestamp);
CREATE INDEX ix_audit_events_action ON audit_events (action);
CREATE INDEX ix_audit_events_project_id ON audit_events (project_id);
CREATE INDEX ix_audit_events_request_id ON audit_events (request_id);
CREATE INDEX ix_audit_events_outcome ON audit_events (outcome);
CREATE INDEX ix_audit_events_client_ip_action ON audit_events (client_ip, action);
COMMIT;
