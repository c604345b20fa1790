-- What does not fit elsewhere: `instance` names the database for life, `changes` counts its
-- transactions.
CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Counts are kept here so that a list of workflows never counts jobs. A workflow whose status is
-- `submitting` is not visible yet; one that is found at start is removed.
CREATE TABLE workflow (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    description TEXT,
    status TEXT NOT NULL,
    working_dir TEXT NOT NULL,
    output_dir TEXT NOT NULL,
    max_parallel_jobs INTEGER,
    submitted_at INTEGER NOT NULL,
    finished_at INTEGER,
    total INTEGER NOT NULL DEFAULT 0,
    blocked INTEGER NOT NULL DEFAULT 0,
    ready INTEGER NOT NULL DEFAULT 0,
    pending INTEGER NOT NULL DEFAULT 0,
    running INTEGER NOT NULL DEFAULT 0,
    completed INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    canceled INTEGER NOT NULL DEFAULT 0,
    terminated INTEGER NOT NULL DEFAULT 0,
    disabled INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Removed when the workflow has ended: an environment may hold secrets.
CREATE TABLE environment (
    workflow_id INTEGER NOT NULL PRIMARY KEY REFERENCES workflow (id) ON DELETE CASCADE,
    entries BLOB NOT NULL
) STRICT;

CREATE TABLE settings (
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    stdio TEXT NOT NULL,
    retries INTEGER NOT NULL,
    retry_delay_us INTEGER NOT NULL,
    timeout_us INTEGER,
    cpus INTEGER NOT NULL,
    grace_us INTEGER NOT NULL,
    environment TEXT NOT NULL,
    working_dir TEXT,
    PRIMARY KEY (workflow_id, number)
) STRICT, WITHOUT ROWID;

-- `argv` is a JSON array for a command that is executed as it stands; `command` is then that array
-- quoted for people.
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    command TEXT NOT NULL,
    argv TEXT,
    priority INTEGER NOT NULL,
    settings INTEGER NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    return_code INTEGER
) STRICT;

CREATE INDEX job_by_workflow ON job (workflow_id);
CREATE UNIQUE INDEX job_by_name ON job (workflow_id, name);

CREATE TABLE attempt (
    job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    status TEXT NOT NULL,
    node TEXT NOT NULL,
    pid INTEGER,
    started_at INTEGER,
    finished_at INTEGER,
    return_code INTEGER,
    reason TEXT NOT NULL DEFAULT '',
    wall_us INTEGER,
    user_us INTEGER,
    system_us INTEGER,
    peak_memory INTEGER,
    PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;

-- Only for streams on which something was written: either `data` or `path` is set.
CREATE TABLE output (
    job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    stream TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    data BLOB,
    path TEXT,
    error TEXT,
    PRIMARY KEY (job_id, attempt, stream)
) STRICT;

-- One row a snapshot that was begun, written before the copy is taken, so that every snapshot holds
-- its own number.
CREATE TABLE snapshot (
    generation INTEGER PRIMARY KEY AUTOINCREMENT,
    instance TEXT NOT NULL,
    host TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    pid INTEGER NOT NULL,
    changes INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    path TEXT NOT NULL,
    bytes INTEGER,
    sha256 TEXT,
    error TEXT
) STRICT;
