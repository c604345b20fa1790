//! The process that runs the jobs of one node.
