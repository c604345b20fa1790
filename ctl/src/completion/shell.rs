//! The shells, and the script that each one loads.

use std::env;
use std::io;

use clap::ValueEnum;
use clap_complete::env::{EnvCompleter, Fish, Zsh};

use crate::completion::{VARIABLE, bash, nushell};

/// A shell whose command line we can complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash 4.4 or newer
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
    /// Nushell
    Nushell,
}

impl Shell {
    /// Returns the script that has `program` complete its own command line.
    ///
    /// # Errors
    ///
    /// None that can happen: it is written to memory.
    pub fn script(self, program: &str) -> io::Result<String> {
        let mut script = Vec::new();
        match self {
            Self::Bash => script.extend(bash::script(program).into_bytes()),
            Self::Nushell => script.extend(nushell::script(program).into_bytes()),
            Self::Zsh => {
                Zsh.write_registration(VARIABLE, program, program, program, &mut script)?;
                script.extend(zsh_autoload(program).into_bytes());
            }
            Self::Fish => {
                Fish.write_registration(VARIABLE, program, program, program, &mut script)?;
            }
        }
        String::from_utf8(script).map_err(io::Error::other)
    }
}

/// Returns what completes a first time where the script is a file in `fpath`: zsh runs it as a
/// function then, which has so far only registered another one.
fn zsh_autoload(program: &str) -> String {
    format!(
        "\nif [[ ${{funcstack[1]-}} == _{program} ]]; then\n    \
         _clap_dynamic_completer_{program} \"$@\"\nfi\n"
    )
}

/// Returns at which word the cursor is, as the scripts of the engine tell it, if they do.
pub(super) fn index_of_engine() -> Option<usize> {
    env::var("_CLAP_COMPLETE_INDEX").ok()?.parse().ok()
}
