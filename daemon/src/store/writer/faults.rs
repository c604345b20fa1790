//! Databases that fail, for the tests of those who must cope with that.

use std::borrow::Borrow;

use rusqlite::Connection;

use super::Writer;

impl<C: Borrow<Connection>> Writer<C> {
    /// Lets every statement fail that writes an output.
    pub(crate) fn take_outputs_away(&self) {
        self.do_by_force("DROP TABLE output");
    }

    /// Lets every statement fail that writes.
    pub(crate) fn refuse_all(&self) {
        self.do_by_force("PRAGMA query_only = 1");
    }

    /// Lets every statement fail that needs room which the database does not have already.
    pub(crate) fn refuse_to_grow(&self) {
        // Less than there is means as much as there is.
        self.do_by_force("PRAGMA max_page_count = 1");
    }

    /// Lets every statement fail that counts the jobs of a workflow, with this message.
    pub(crate) fn refuse_counts(&self, message: &str) {
        self.do_by_force(&format!(
            "CREATE TRIGGER no_counts BEFORE UPDATE OF blocked ON workflow
             BEGIN SELECT raise(ABORT, '{message}'); END"
        ));
    }

    fn do_by_force(&self, sql: &str) {
        self.reading().execute_batch(sql).expect("the statement is right");
    }
}
