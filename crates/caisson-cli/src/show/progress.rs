use std::{
    io::{self, Write},
    time::Instant,
};

use caisson_core::model::Progress;

use super::{Screen, escape, style};

/// Progress of something long, on standard error: one line that changes on a terminal, a line for each step
/// elsewhere, and nothing with `--json`.
#[derive(Debug)]
pub(crate) struct ProgressLine<'a> {
    screen: &'a Screen,
    step: String,
    began: Instant,
}

impl<'a> ProgressLine<'a> {
    pub(crate) fn new(screen: &'a Screen) -> Self {
        Self { screen, step: String::new(), began: Instant::now() }
    }

    pub(crate) fn show(&mut self, progress: &Progress) {
        if self.screen.json {
            return;
        }
        let new = progress.step != self.step;
        if new {
            self.finish_step(true);
            self.step.clone_from(&progress.step);
            self.began = Instant::now();
        }
        let step = escape::line(&progress.step);
        if !self.screen.err_terminal {
            if new {
                Self::write(&format!("{step}\n"));
            }
            return;
        }
        let percent =
            progress.fraction.map(|fraction| format!(" {:>3.0} %", fraction.clamp(0.0, 1.0) * 100.0));
        let mut line = format!("  {step}{}", percent.unwrap_or_default());
        if let Some(detail) = &progress.detail {
            let room = self.screen.err_width.saturating_sub(line.chars().count() + 4);
            let detail: String = escape::line(detail).chars().take(room).collect();
            line.push_str("  ");
            line.push_str(&style::faint(self.screen.err_color, &detail));
        }
        Self::write(&format!("\r\u{1b}[K{line}"));
    }

    /// Ends the line: the last step is done, or was not. Dropped instead, it was not.
    pub(crate) fn end(mut self, done: bool) {
        self.finish_step(done);
    }

    fn finish_step(&mut self, done: bool) {
        if self.step.is_empty() || self.screen.json || !self.screen.err_terminal {
            return;
        }
        let color = self.screen.err_color;
        let mark = if done { style::good(color, "✓") } else { style::bad(color, "✗") };
        let seconds = self.began.elapsed().as_secs();
        let took = if seconds == 0 { String::new() } else { style::faint(color, &format!("  {seconds} s")) };
        let line = format!("\r\u{1b}[K{mark} {}{took}\n", escape::line(&self.step));
        Self::write(&line);
        self.step.clear();
    }

    fn write(text: &str) {
        let mut err = io::stderr().lock();
        // Progress that cannot be shown is no failure.
        drop(err.write_all(text.as_bytes()).and_then(|()| err.flush()));
    }
}

impl Drop for ProgressLine<'_> {
    fn drop(&mut self) {
        self.finish_step(false);
    }
}
