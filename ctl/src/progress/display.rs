//! Which form of progress is shown, and when: a bar on a terminal, else a line now and then.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::progress::bar::Bar;
use crate::progress::lines;
use crate::progress::model::Model;
use crate::stderr;
use crate::style::Palette;

/// Time between two drawings of the bar.
const FRAME: Duration = Duration::from_millis(100);
/// Time between two lines where there is no terminal.
const LINE: Duration = Duration::from_secs(10);

/// How progress is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As a bar.
    Bar(Palette),
    /// As a line now and then.
    Lines,
    /// Not at all.
    Off,
}

/// What is on the screen.
#[derive(Debug)]
pub struct Display {
    mode: Mode,
    /// Made when it is first drawn: what ends before shows none.
    bar: Option<Bar>,
    ticks: Interval,
    started: Instant,
    drawn: Option<Model>,
}

impl Display {
    /// Returns a display that has shown nothing yet.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        let period = match mode {
            Mode::Bar(_) => FRAME,
            Mode::Lines | Mode::Off => LINE,
        };
        let started = Instant::now();
        let mut ticks = interval_at(started + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { mode, bar: None, ticks, started, drawn: None }
    }

    /// Waits until it is time to draw. Safe to drop and call again.
    pub async fn due(&mut self) {
        self.ticks.tick().await;
    }

    /// Draws how far `model` is.
    pub fn draw(&mut self, model: &Model) {
        let elapsed = self.started.elapsed();
        match self.mode {
            Mode::Off => {}
            Mode::Lines => stderr::say(&lines::line(model, elapsed)),
            Mode::Bar(palette) => {
                let bar = self.bar.get_or_insert_with(|| Bar::new(model.counts.total, palette));
                let whole_second = elapsed.subsec_millis() < FRAME.subsec_millis();
                if whole_second || self.drawn.as_ref() != Some(model) {
                    bar.draw(model, elapsed);
                    self.drawn = Some(model.clone());
                }
            }
        }
    }

    /// Returns whether what is waited for can be shown anew each second: it takes no new line.
    #[must_use]
    pub fn is_redrawn(&self) -> bool {
        matches!(self.mode, Mode::Bar(_))
    }

    /// Shows what is waited for after the last job.
    pub fn say(&mut self, text: &str) {
        match self.mode {
            Mode::Bar(palette) => {
                self.bar.get_or_insert_with(|| Bar::of_words(palette)).say(text);
            }
            Mode::Lines => stderr::say(text),
            Mode::Off => {}
        }
    }

    /// Takes the bar off the screen.
    pub fn clear(&mut self) {
        self.bar = None;
    }
}
