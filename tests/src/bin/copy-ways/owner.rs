//! The process that owns a database, and does what it is told on standard input.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::content;
use crate::ways::{Owned, Way};

pub(crate) fn run(way: &str, jobs: &str, home: &str) -> anyhow::Result<()> {
    let way = Way::ALL.into_iter().find(|it| it.name() == way).context("no such way")?;
    let jobs = jobs.parse()?;
    let mut owned = Owned::open(way, Path::new(home), jobs)?;
    println!("ready");
    for order in std::io::stdin().lock().lines() {
        match order?.split_once(' ') {
            Some(("copy", path)) => println!("{}", owned.copy(&PathBuf::from(path), jobs)?.line()),
            None => transactions(&owned, jobs)?,
            _ => bail!("no such order"),
        }
    }
    Ok(())
}

/// Makes transactions until it is killed, and says the number of each when it is made.
fn transactions(owned: &Owned, jobs: u32) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    for number in 1.. {
        content::transaction(owned.connection(), number, jobs)?;
        stdout.write_all(format!("{number}\n").as_bytes())?;
        stdout.flush()?;
    }
    Ok(())
}
