//! The bar on a terminal: done and total, running, failed, jobs a second, time left.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::progress::lines;
use crate::progress::model::Model;
use crate::stderr::Drawn;
use crate::style::{Palette, Tone};

/// At most so many redraws a second.
const REDRAWS: u8 = 10;

/// A bar on stderr. Dropping it wipes it off.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    palette: Palette,
    _drawn: Drawn,
}

impl Bar {
    /// Draws an empty bar for `total` jobs.
    #[must_use]
    pub fn new(total: u64, palette: Palette) -> Self {
        let template = if palette.is_colored() {
            "{bar:25.cyan/dim} {wide_msg}"
        } else {
            "{bar:25} {wide_msg}"
        };
        Self::of_template(template, total, palette)
    }

    /// Draws words alone, for where there are no jobs to count.
    #[must_use]
    pub fn of_words(palette: Palette) -> Self {
        Self::of_template("{wide_msg}", 0, palette)
    }

    fn of_template(template: &str, total: u64, palette: Palette) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(REDRAWS);
        let bar = ProgressBar::with_draw_target(Some(total), target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        let ours = bar.clone();
        let drawn = Drawn::new(move |write| ours.suspend(write));
        Self { bar, palette, _drawn: drawn }
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
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
