//! Where a process looks for settings: its files and its environment.

use std::env;
use std::path::{Path, PathBuf};

use super::file;
use super::settings::Settings;
use super::trust::{self, Found};
use super::{ConfigError, Layer};
use crate::paths;

/// Where a process looks, which it may do again.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The working directory at the start; none when it is gone.
    dir: Option<PathBuf>,
    /// Whether the file of a project counts.
    project: bool,
}

/// A file that is looked for.
#[derive(Debug)]
pub struct Place {
    /// For whom it is.
    pub layer: Layer,
    /// Where it is, or would be.
    pub path: PathBuf,
    /// What is there.
    pub state: State,
}

/// What is at the place of a file.
#[derive(Debug)]
pub enum State {
    /// No file.
    Missing,
    /// A file of somebody else in a directory that others can write to, which is passed over.
    Strange,
    /// A file with so many settings.
    Read(Vec<file::Entry>),
    /// A file that is wrong.
    Wrong(ConfigError),
}

impl Sources {
    /// Returns the sources of this process as it is now. The file of a project counts for whoever
    /// works in it, and not for a daemon that anybody may have started anywhere.
    #[must_use]
    pub fn here(project: bool) -> Self {
        Self::of(env::current_dir().ok(), project)
    }

    /// Returns the sources for this working directory.
    pub(super) fn of(dir: Option<PathBuf>, project: bool) -> Self {
        Self { dir, project }
    }

    /// Returns the working directory that relative paths are relative to; none when it is gone.
    #[must_use]
    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// Reads all files and the environment.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, in the order system, user, project, environment.
    pub fn read(&self) -> Result<Settings, ConfigError> {
        let mut settings = Settings::default();
        for place in self.places() {
            match place.state {
                State::Read(entries) => settings.add_file(entries),
                State::Wrong(error) => return Err(error),
                State::Missing | State::Strange => {}
            }
        }
        settings.add_environment(|name| env::var_os(name), self.dir())?;
        // Two that cannot be meant together are wrong for everybody, not only for who starts a torcd.
        settings.in_memory()?;
        Ok(settings)
    }

    /// Looks at every place of a file. Of the directories of a project the one with its file is in the
    /// list, else the working directory.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        places.push(Place::look(Layer::System, paths::system_config()));
        places.extend(paths::user_config().map(|path| Place::look(Layer::User, path)));
        if self.project
            && let Some(dir) = &self.dir
        {
            places.extend(project(dir, &places));
        }
        places
    }
}

/// Looks for the file of a project: in the working directory, and above it as far as directories are
/// ours. What is further up is of a site or of somebody else, and may be a file system that looks for
/// every name that it is asked for on the net.
fn project(dir: &Path, others: &[Place]) -> Vec<Place> {
    let mut passed = Vec::new();
    let above = dir.ancestors().skip(1).take_while(|above| trust::is_own_directory(above));
    for dir in std::iter::once(dir).chain(above) {
        let path = dir.join(paths::CONFIG_NAME);
        if others.iter().any(|other| other.path == path) {
            continue;
        }
        let place = Place::look(Layer::Project, path);
        match place.state {
            State::Missing => {}
            State::Strange => passed.push(place),
            State::Read(_) | State::Wrong(_) => {
                passed.push(place);
                return passed;
            }
        }
    }
    let path = dir.join(paths::CONFIG_NAME);
    if others.iter().all(|other| other.path != path) && passed.is_empty() {
        passed.push(Place { layer: Layer::Project, path, state: State::Missing });
    }
    passed
}

impl Place {
    fn look(layer: Layer, path: PathBuf) -> Self {
        let state = match trust::read(layer, &path) {
            Ok(Found::Nothing) => State::Missing,
            Ok(Found::Strange) => State::Strange,
            Ok(Found::File(bytes)) => match file::parse(layer, &path, &bytes) {
                Ok(entries) => State::Read(entries),
                Err(error) => State::Wrong(error),
            },
            Err(error) => State::Wrong(error),
        };
        Self { layer, path, state }
    }
}
