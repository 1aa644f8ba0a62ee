use super::{escape, style};

/// The blank columns between two columns of text.
const GAP: usize = 2;
/// No column is squeezed further than this.
const NARROWEST: usize = 10;

/// Aligned columns. Cells are escaped; what does not fit is wrapped in its column.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.iter().map(|cell| escape::line(cell).into_owned()).collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table in `width` columns.
    pub(crate) fn render(&self, width: usize, color: bool) -> String {
        let widths = self.widths(width);
        let mut out = String::new();
        if self.head.iter().any(|head| !head.is_empty()) {
            let head: Vec<String> = self.head.iter().map(|head| (*head).to_owned()).collect();
            push_row(&mut out, &head, &widths, |line| style::strong(color, line));
        }
        for row in &self.rows {
            push_row(&mut out, row, &widths, str::to_owned);
        }
        out
    }

    /// Each column as wide as its widest cell; where that is too wide together, the widest give way first.
    fn widths(&self, width: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..self.head.len())
            .map(|at| {
                let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| columns(cell));
                cells.chain([columns(self.head[at])]).max().unwrap_or(0)
            })
            .collect();
        let room = width.saturating_sub(GAP * widths.len().saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            match widths.iter_mut().max() {
                Some(widest) if *widest > NARROWEST => *widest -= 1,
                _ => break,
            }
        }
        widths
    }
}

fn push_row(out: &mut String, cells: &[String], widths: &[usize], paint: impl Fn(&str) -> String) {
    let wrapped: Vec<Vec<String>> =
        cells.iter().zip(widths).map(|(cell, width)| wrap(cell, *width)).collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
    for at in 0..height {
        let mut line = String::new();
        for (cell, width) in wrapped.iter().zip(widths) {
            let text = cell.get(at).map_or("", String::as_str);
            line.push_str(text);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(columns(text)) + GAP));
        }
        out.push_str(&paint(line.trim_end()));
        out.push('\n');
    }
}

fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Lines of at most `width` characters, broken at blanks where there are some. At least one line.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(NARROWEST);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let mut word: Vec<char> = word.chars().collect();
            if !line.is_empty() && columns(&line) + 1 + word.len() > width {
                lines.push(std::mem::take(&mut line));
            } else if !line.is_empty() {
                line.push(' ');
            }
            while word.len() > width {
                lines.push(word.drain(..width).collect());
            }
            line.extend(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_its_width() {
        let mut table = Table::new(&["WHAT", "VALUE", "WHY"]);
        table.row(["Network", "none", "loopback is its only interface, and no port of it is open"]);
        table.row(["Image", &"a".repeat(71), "exactly this content runs"]);
        let text = table.render(80, false);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn cells_are_escaped_and_words_kept_whole() {
        let mut table = Table::new(&["", ""]);
        table.row(["a\u{1b}[0m", "b"]);
        assert_eq!(table.render(80, false), "a\\u{1b}[0m  b\n");
        assert_eq!(wrap("one two three", 10), ["one two", "three"]);
        assert_eq!(wrap("", 10), [""]);
    }
}
