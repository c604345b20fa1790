//! What is in the databases: one workflow, with as many results as jobs.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// Fills an empty database of torc's.
pub(crate) fn fill(connection: &Connection, jobs: u32) -> rusqlite::Result<()> {
    connection.execute_batch(
        "BEGIN;
         INSERT INTO meta VALUES ('instance', 'bench'), ('changes', '0');
         INSERT INTO workflow
             (id, name, status, working_dir, output_dir, options, submitted_at)
         VALUES (1, 'bench', 'completed', '/', '/', '{}', 0);",
    )?;
    connection.execute(
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1)
         INSERT INTO job (id, workflow_id, name, command, priority, settings, status, attempts)
         SELECT n, 1, printf('job%d', n),
             printf('python3 simulate.py --seed %d --steps 10000 --parameters p%d.json --out r%d.json',
                 n * 7919, n, n),
             0, 0, 'completed', 1
         FROM number",
        [jobs],
    )?;
    connection.execute(
        "INSERT INTO attempt
             (job_id, number, status, node, pid, started_at, finished_at, return_code, reason,
              wall_us, user_us, system_us, peak_memory)
         SELECT id, 1, 'completed', 'node' || id % 64, 4711 + id % 30000, 1763942400000000 + id,
             1763942401000000 + id, 0, '', 1000000 + id, 900000 + id, 10000 + id, 1048576 + id
         FROM job",
        [],
    )?;
    connection.execute_batch("COMMIT")
}

/// Makes the transaction of this number: a job ends, and its result is there.
pub(crate) fn transaction(connection: &Connection, number: u64, jobs: u32) -> rusqlite::Result<()> {
    let job = number.wrapping_mul(2_654_435_761) % u64::from(jobs) + 1;
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    connection
        .prepare_cached("UPDATE job SET status = 'failed', attempts = attempts + 1 WHERE id = ?1")?
        .execute([job])?;
    connection
        .prepare_cached(
            "INSERT INTO attempt (job_id, number, status, node, reason)
             SELECT id, attempts, 'failed', 'node1', 'exit code 1' FROM job WHERE id = ?1",
        )?
        .execute([job])?;
    connection
        .prepare_cached("UPDATE meta SET value = ?1 WHERE key = 'changes'")?
        .execute([number.to_string()])?;
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

/// Returns the number of the last transaction in a database that a dead process has left, if it has
/// left one.
pub(crate) fn found(file: &Path) -> anyhow::Result<Option<u64>> {
    if !file.exists() {
        return Ok(None);
    }
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let sound: String = connection.query_row("PRAGMA quick_check", [], |row| row.get(0))?;
    anyhow::ensure!(sound == "ok", "{sound}");
    let sql = "SELECT value FROM meta WHERE key = 'changes'";
    let number: String = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(Some(number.parse()?))
}
