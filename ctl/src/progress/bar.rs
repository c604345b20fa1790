//! The bar on a terminal: done and total, running, failed, jobs a second, time left.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::progress::lines;
use crate::progress::model::Model;
use crate::stderr;
use crate::style::{Palette, Tone};

/// At most so many redraws a second.
const REDRAWS: u8 = 10;

/// A bar on stderr. Dropping it wipes it off.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    palette: Palette,
}

impl Bar {
    /// Draws an empty bar for `total` jobs.
    #[must_use]
    pub fn new(total: u64, palette: Palette) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(REDRAWS);
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let template = if palette.is_colored() {
            "{bar:25.cyan/dim} {wide_msg}"
        } else {
            "{bar:25} {wide_msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self { bar, palette }
    }

    /// Shows how far `model` is.
    pub fn draw(&self, model: &Model, elapsed: Duration) {
        let text = lines::line(model, elapsed);
        let tone = if model.any_failed() { Tone::Bad } else { Tone::Plain };
        self.bar.set_message(self.palette.paint(tone, &text));
        self.bar.set_position(model.counts.ended());
    }

    /// Shows what is waited for after the last job.
    pub fn say(&self, text: &str) {
        self.bar.set_message(text.to_owned());
        self.bar.tick();
    }

    /// Prints a line above the bar.
    pub fn print(&self, line: &str) {
        self.bar.suspend(|| stderr::say(line));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
