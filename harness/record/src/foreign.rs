//! Text of others: what a peer or a child process said, made fit for a reason, a report and a terminal.

/// How many characters of somebody else's text stand in a sentence of ours.
pub const FOREIGN_CHARACTERS: usize = 200;

/// The text with everything escaped that is not seen, or that moves what is seen: control characters, and those of Unicode that
/// break lines or turn the direction of writing.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_unseen(letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// What somebody else said, trimmed, [`printable`] and cut after [`FOREIGN_CHARACTERS`] characters; what is no UTF-8 is replaced. Where it is
/// cut, the number of bytes follows.
pub fn foreign(said: &[u8]) -> String {
    // No character is longer than four bytes, and the space in front of the text is no part of it.
    let said = said.trim_ascii();
    let start = String::from_utf8_lossy(&said[..said.len().min(4 * (FOREIGN_CHARACTERS + 1))]);
    match start.char_indices().nth(FOREIGN_CHARACTERS) {
        None => printable(&start),
        Some((end, _)) => format!("{} [cut: {} bytes in all]", printable(&start[..end]), said.len()),
    }
}

fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_would_move_the_terminal_is_seen_instead() {
        assert_eq!(foreign(b"  red \x1b[31m\r\nnext \x00 "), "red \\u{1b}[31m\\r\\nnext \\u{0}");
        assert_eq!(printable("a\u{202e}b\u{9b}c\u{2028}d é"), "a\\u{202e}b\\u{9b}c\\u{2028}d é");
        assert_eq!(foreign(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let cut = foreign("é".repeat(5000).as_bytes());
        assert_eq!(cut, format!("{} [cut: 10000 bytes in all]", "é".repeat(200)));
        assert_eq!(foreign("x".repeat(200).as_bytes()), "x".repeat(200));
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_short_and_printable(said in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let shown = foreign(&said);
            prop_assert!(!shown.chars().any(is_unseen), "{shown:?}");
            // The longest escape of a character is `\u{10ffff}`.
            prop_assert!(shown.chars().count() <= 10 * FOREIGN_CHARACTERS + 40);
        }
    }
}
