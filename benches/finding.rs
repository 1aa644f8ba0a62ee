//! What was found: a table, and the targets beside it. People, JSON and the page are told the same.

use std::fmt::{self, Write};

use serde::Serialize;

/// The outcome of one measure.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    /// What was measured.
    pub(crate) title: String,
    /// The engine's name and version.
    pub(crate) engine: String,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Row>,
    pub(crate) targets: Vec<Target>,
}

/// One way, or one size.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// One for each column; none where there is nothing to tell.
    pub(crate) values: Vec<Option<f64>>,
    /// What else there is to say of it.
    pub(crate) note: Option<String>,
}

/// What is to be reached.
#[derive(Debug, Serialize)]
pub(crate) struct Target {
    pub(crate) what: &'static str,
    pub(crate) wanted: Wanted,
    pub(crate) seen: Option<f64>,
}

/// A bound that is still good.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wanted {
    AtMost(f64),
    AtLeast(f64),
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, values: impl IntoIterator<Item = Option<f64>>) -> Self {
        Self { name: name.into(), values: values.into_iter().collect(), note: None }
    }

    /// One that has no numbers, and why.
    pub(crate) fn failed(name: impl Into<String>, why: impl fmt::Display) -> Self {
        Self::new(name, []).with_note(why.to_string())
    }

    pub(crate) fn with_note(self, note: impl AsRef<str>) -> Self {
        Self { note: Some(short(note.as_ref())), ..self }
    }
}

impl Target {
    /// Whether it is reached; what was not seen is not.
    pub(crate) fn is_met(&self) -> bool {
        self.seen.is_some_and(|seen| match self.wanted {
            Wanted::AtMost(most) => seen <= most,
            Wanted::AtLeast(least) => seen >= least,
        })
    }
}

impl Finding {
    /// The table as lines of cells, the first being the head.
    fn cells(&self) -> Vec<Vec<String>> {
        let noted = self.rows.iter().any(|row| row.note.is_some());
        let mut head = vec![String::new()];
        head.extend(self.columns.iter().map(ToString::to_string));
        head.extend(noted.then(String::new));
        let rows = self.rows.iter().map(|row| {
            let mut cells = vec![row.name.clone()];
            cells.extend((0..self.columns.len()).map(|at| number(row.values.get(at).copied().flatten())));
            cells.extend(noted.then(|| row.note.clone().unwrap_or_default()));
            cells
        });
        std::iter::once(head).chain(rows).collect()
    }

    fn verdicts(&self) -> impl Iterator<Item = String> {
        self.targets.iter().map(|target| {
            let verdict = if target.is_met() { "yes" } else { "no" };
            format!("{}: {}, seen {}: {verdict}", target.what, target.wanted, number(target.seen))
        })
    }

    /// Shows it.
    pub(crate) fn print(&self) {
        println!("{}", self.text());
    }

    /// For a terminal.
    fn text(&self) -> String {
        let cells = self.cells();
        let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..cells[0].len()).map(width).collect();
        let mut text = format!("\n{} ({})\n\n", self.title, self.engine);
        for row in &cells {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                // Numbers are aligned by their last digit, words by their first letter.
                let is_number = (1..=self.columns.len()).contains(&column);
                let padded =
                    if is_number { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
                line += &padded;
            }
            text = text + line.trim_end() + "\n";
        }
        self.verdicts().fold(text, |text, verdict| text + "  " + &verdict + "\n")
    }

    /// For the page.
    pub(crate) fn markdown(&self) -> String {
        let cells = self.cells();
        let line = |row: &Vec<String>| format!("| {} |\n", row.join(" | "));
        let rule: Vec<String> = (0..cells[0].len())
            .map(|column| if (1..=self.columns.len()).contains(&column) { "--:" } else { "---" }.to_owned())
            .collect();
        let mut text = format!("### {} ({})\n\n{}{}", self.title, self.engine, line(&cells[0]), line(&rule));
        text.extend(cells.iter().skip(1).map(line));
        text.push('\n');
        for target in &self.targets {
            let verdict = if target.is_met() { "**yes**" } else { "**no**" };
            // Writing into a string cannot fail.
            let _ = writeln!(
                text,
                "- {}: {}, seen {}: {verdict}",
                target.what,
                target.wanted,
                number(target.seen)
            );
        }
        text
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "at most {}", number(Some(*most))),
            Self::AtLeast(least) => write!(f, "at least {}", number(Some(*least))),
        }
    }
}

/// A part of a whole; none where either is unknown.
pub(crate) fn ratio(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    Some(part? / whole?)
}

/// A difference that counts as one microsecond at least: below that there is noise alone.
pub(crate) fn added(all: Option<f64>, without: Option<f64>) -> Option<f64> {
    Some((all? - without?).max(1.0))
}

/// The smallest of some, of those that are known.
pub(crate) fn least(of: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    of.into_iter().flatten().min_by(f64::total_cmp)
}

/// The largest of some, of those that are known.
pub(crate) fn most(of: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    of.into_iter().flatten().max_by(f64::total_cmp)
}

/// Three digits say enough here.
fn number(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value.abs() >= 100.0 || value == value.trunc() => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) if value.abs() >= 1.0 => format!("{value:.2}"),
        Some(value) => format!("{value:.3}"),
    }
}

/// A reason that fits into a table.
fn short(reason: &str) -> String {
    const MOST: usize = 140;
    let line = reason.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "/");
    if line.chars().count() > MOST { line.chars().take(MOST).chain("…".chars()).collect() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        let target = |wanted, seen| Target { what: "a", wanted, seen };
        Finding {
            title: "One".to_owned(),
            engine: "Podman 1".to_owned(),
            columns: vec!["µs", "ratio"],
            rows: vec![Row::new("first", [Some(1234.5), None]), Row::failed("second", "no\n| way")],
            targets: vec![target(Wanted::AtMost(0.125), Some(0.125)), target(Wanted::AtLeast(8.0), None)],
        }
    }

    #[test]
    fn a_table_for_people() {
        insta::assert_snapshot!(finding().text(), @r"

        One (Podman 1)

                  µs  ratio
        first   1234      –
        second     –      –  no / way
          a: at most 0.125, seen 0.125: yes
          a: at least 8, seen –: no
        ");
    }

    #[test]
    fn a_table_for_the_page() {
        insta::assert_snapshot!(finding().markdown(), @r"
        ### One (Podman 1)

        |  | µs | ratio |  |
        | --- | --: | --: | --- |
        | first | 1234 | – |  |
        | second | – | – | no / way |

        - a: at most 0.125, seen 0.125: **yes**
        - a: at least 8, seen –: **no**
        ");
    }
}
