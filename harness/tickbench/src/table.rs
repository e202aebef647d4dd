//! Plain tables for the terminal: columns of fixed width, long cells wrapped at words.

use std::fmt::Write as _;

/// The columns of a table.
pub(crate) struct Columns<const N: usize> {
    /// Characters of each.
    pub(crate) widths: [usize; N],
}

impl<const N: usize> Columns<N> {
    /// One row, as many lines as its longest cell takes, each with a line feed.
    pub(crate) fn row(&self, cells: [&str; N]) -> String {
        let columns: [Vec<String>; N] = std::array::from_fn(|at| wrapped(cells[at], self.widths[at]));
        let height = columns.iter().map(Vec::len).max().unwrap_or(0);
        let mut text = String::new();
        for line in 0..height {
            let mut row = String::new();
            for (column, &width) in columns.iter().zip(&self.widths) {
                let part = column.get(line).map_or("", String::as_str);
                write!(row, "{part:<width$}  ").expect("writing to memory does not fail");
            }
            text += row.trim_end();
            text.push('\n');
        }
        text
    }

    /// The rule below the heads.
    pub(crate) fn rule(&self) -> String {
        self.widths.map(|width| "-".repeat(width)).join("  ") + "\n"
    }
}

/// Lines of at most `width` characters, broken between words; a longer word has a line to itself.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_wrapped_and_columns_stay_aligned() {
        let columns = Columns { widths: [6, 9] };
        let text = columns.row(["caught", "one two three µs"]) + &columns.rule() + &columns.row(["", "x"]);
        assert_eq!(text, "caught  one two\n        three µs\n------  ---------\n        x\n");
        assert_eq!(wrapped("a incomprehensible b", 4), ["a", "incomprehensible", "b"]);
    }
}
