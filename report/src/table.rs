//! Markdown tables with notes on what is missing.

use tickbench_record::printable;

/// A table under construction. Its first column is text, the others are numbers unless [`texts`](Table::texts) says otherwise.
pub(crate) struct Table {
    headings: Vec<String>,
    texts: usize,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Table {
    pub(crate) fn new<H: Into<String>>(headings: impl IntoIterator<Item = H>) -> Table {
        let headings = headings.into_iter().map(Into::into).collect();
        Table { headings, texts: 1, rows: Vec::new(), notes: Vec::new() }
    }

    /// The same with so many columns of text, from the left.
    pub(crate) fn texts(self, texts: usize) -> Table {
        Table { texts, ..self }
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A mark that points to a note under the table; equal notes share a mark.
    pub(crate) fn mark(&mut self, note: impl Into<String>) -> String {
        let note = note.into();
        let place = self.notes.iter().position(|known| *known == note).unwrap_or_else(|| {
            self.notes.push(note);
            self.notes.len() - 1
        });
        format!("<sup>{}</sup>", place + 1)
    }

    /// What stands for a missing figure, with the reason as a note.
    pub(crate) fn missing(&mut self, reason: impl Into<String>) -> String {
        format!("— {}", self.mark(reason))
    }

    /// The table and its notes; nothing where it has no rows.
    pub(crate) fn markdown(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let line = |cells: &[String]| {
            let cells: Vec<String> =
                cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let alignment = |column: usize| String::from(if column < self.texts { "---" } else { "---:" });
        let mut text = line(&self.headings);
        text += &line(&(0..self.headings.len()).map(alignment).collect::<Vec<_>>());
        self.rows.iter().for_each(|row| text += &line(row));
        let notes: Vec<String> =
            self.notes.iter().enumerate().map(|(at, note)| format!("<sup>{}</sup> {note}", at + 1)).collect();
        if !notes.is_empty() {
            text += &format!("\n{}\n", notes.join("<br>\n"));
        }
        text
    }
}

/// Text of others, so that it cannot be taken for markup, nor move a terminal that shows the report.
pub(crate) fn escaped(text: &str) -> String {
    let line = printable(&text.replace('\n', " "));
    line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").trim().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_figures_share_their_notes() {
        let mut table = Table::new(["server", "p99 µs"]);
        for server in ["a|b", "c"] {
            let missing = table.missing("p99 needs 1,000 samples");
            table.push(vec![server.into(), missing]);
        }
        assert_eq!(
            table.markdown(),
            "| server | p99 µs |\n| --- | ---: |\n| a\\|b | — <sup>1</sup> |\n| c | — <sup>1</sup> |\n\n\
             <sup>1</sup> p99 needs 1,000 samples\n"
        );
    }

    #[test]
    fn markup_in_foreign_text_is_text() {
        assert_eq!(escaped("<b>\n& "), "&lt;b&gt; &amp;");
        assert_eq!(escaped("\u{1b}[31mred"), "\\u{1b}[31mred");
    }
}
