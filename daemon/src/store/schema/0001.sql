-- What does not fit elsewhere: `instance` names the database for life, `changes` counts its
-- transactions.
CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Counts are kept here so that a list of workflows never counts jobs. A workflow whose status is
-- `submitting` is not visible: it is not whole yet, or is being removed; one that is found at start is
-- removed. `options` is a JSON object that says how it is run; `metadata` what its author says of it;
-- `key` is what its submission was named by, once it is visible.
CREATE TABLE workflow (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    description TEXT,
    key TEXT,
    status TEXT NOT NULL,
    working_dir TEXT NOT NULL,
    output_dir TEXT NOT NULL,
    metadata TEXT,
    options TEXT NOT NULL,
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

CREATE UNIQUE INDEX workflow_by_key ON workflow (key) WHERE key IS NOT NULL;

-- Removed when the workflow has ended: an environment may hold secrets.
CREATE TABLE environment (
    workflow_id INTEGER NOT NULL PRIMARY KEY REFERENCES workflow (id) ON DELETE CASCADE,
    entries BLOB NOT NULL
) STRICT;

-- The kinds of job of a workflow. `details` is a JSON object with all that is not a column.
CREATE TABLE settings (
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    requirements TEXT,
    cpus INTEGER NOT NULL,
    memory INTEGER,
    gpus INTEGER NOT NULL,
    labels TEXT NOT NULL,
    details TEXT NOT NULL,
    PRIMARY KEY (workflow_id, number)
) STRICT, WITHOUT ROWID;

-- `argv` is a JSON array for a command that is executed as it stands; `command` is then that array
-- quoted for people. `depends_on` is a JSON array of the ids of jobs, none for no job; `environment`
-- a JSON array of names and values. `first` is how many of its attempts do not count in the present run.
-- An action is a row as well: it is run as a job is, and its results are kept in the same way.
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
    first INTEGER NOT NULL DEFAULT 0,
    return_code INTEGER,
    depends_on TEXT,
    environment TEXT,
    invocation_script TEXT,
    is_action INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX job_by_workflow ON job (workflow_id);
CREATE UNIQUE INDEX job_by_name ON job (workflow_id, name);
CREATE INDEX action_by_workflow ON job (workflow_id) WHERE is_action = 1;

-- Which job waits for which.
CREATE VIEW dependency (workflow_id, job_id, depends_on) AS
    SELECT job.workflow_id, job.id, other.value
    FROM job, json_each(job.depends_on) AS other
    WHERE job.depends_on IS NOT NULL;

-- The actions of a workflow: `jobs` is a JSON array of the places of jobs in the submission.
CREATE TABLE action (
    job_id INTEGER NOT NULL PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    trigger TEXT NOT NULL,
    jobs TEXT NOT NULL,
    persistent INTEGER NOT NULL,
    fired INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE file (
    id INTEGER PRIMARY KEY,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    path TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX file_by_name ON file (workflow_id, name);

-- Which job reads and writes which file, and how that was when the job was last run.
CREATE TABLE job_file (
    job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    file_id INTEGER NOT NULL REFERENCES file (id) ON DELETE CASCADE,
    is_output INTEGER NOT NULL,
    modified_ns INTEGER,
    bytes INTEGER,
    PRIMARY KEY (job_id, is_output, file_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_file_by_file ON job_file (file_id);

CREATE TABLE user_data (
    id INTEGER PRIMARY KEY,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    data TEXT,
    is_ephemeral INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX user_data_by_name ON user_data (workflow_id, name);

CREATE TABLE job_user_data (
    job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    user_data_id INTEGER NOT NULL REFERENCES user_data (id) ON DELETE CASCADE,
    is_output INTEGER NOT NULL,
    PRIMARY KEY (job_id, is_output, user_data_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_user_data_by_user_data ON job_user_data (user_data_id);

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
    recovery_code INTEGER,
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
