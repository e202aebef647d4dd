//! Commands of the manifest, with their placeholders filled in.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A command line and the folder to run it in.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) argv: Vec<OsString>,
    pub(crate) folder: PathBuf,
    /// Cargo's target directory, which the command's own cargo must use too, wherever it runs.
    pub(crate) target: PathBuf,
}

impl Program {
    /// Fills in `{target}`, cargo's target directory, and `{folder}`, the program's own.
    pub(crate) fn new(argv: &[String], target: &Path, folder: &Path) -> Program {
        let places = [("{target}", target), ("{folder}", folder)];
        Program {
            argv: argv.iter().map(|word| fill(word, places)).collect(),
            folder: folder.into(),
            target: target.into(),
        }
    }

    /// The same command with more arguments.
    pub(crate) fn with(&self, more: impl IntoIterator<Item = impl Into<OsString>>) -> Program {
        let mut program = self.clone();
        program.argv.extend(more.into_iter().map(Into::into));
        program
    }

    /// As one would type it.
    pub(crate) fn line(&self) -> String {
        self.argv.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }

    /// The files that the command names: its program and its scripts. Words that only PATH can resolve are not among them.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.argv
            .iter()
            .filter(|word| word.as_encoded_bytes().contains(&b'/'))
            .map(|word| self.folder.join(word))
            .filter(|path| path.is_file())
            .collect()
    }
}

/// A word of the manifest with paths in the place of their names.
fn fill(word: &str, places: [(&str, &Path); 2]) -> OsString {
    let found = places.iter().filter_map(|(name, path)| Some((word.find(name)?, name.len(), path)));
    let Some((at, length, path)) = found.min_by_key(|(at, ..)| *at) else { return word.into() };
    let mut filled = OsString::from(&word[..at]);
    filled.push(path);
    filled.push(fill(&word[at + length..], places));
    filled
}

/// A word as a shell would take it back: in the manner of POSIX, and where it is no text as `$'…'` with its bytes in hexadecimal.
pub(crate) fn quoted(word: &OsStr) -> String {
    let Some(word) = word.to_str() else { return escaped(word.as_encoded_bytes()) };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%#".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('#') {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn escaped(bytes: &[u8]) -> String {
    let mut word = String::from("$'");
    for chunk in bytes.utf8_chunks() {
        word += &chunk.valid().replace('\\', r"\\").replace('\'', r"\'").replace('\n', r"\n");
        chunk.invalid().iter().for_each(|byte| {
            let _ = write!(word, r"\x{byte:02x}");
        });
    }
    word + "'"
}

/// Whether PATH has a program of this name.
pub(crate) fn on_path(name: &str) -> bool {
    find_on_path(name).is_some()
}

/// The program of this name that PATH leads to first.
pub(crate) fn find_on_path(name: impl AsRef<Path>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name.as_ref())).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn placeholders_are_filled_in_anywhere_in_a_word() {
        let argv = ["{target}/bin".to_string(), "--folder={folder}".into()];
        let program = Program::new(&argv, Path::new("/t"), Path::new("/f"));
        assert_eq!(program.argv, ["/t/bin", "--folder=/f"]);
    }

    #[test]
    fn a_line_can_be_pasted_into_a_shell() {
        let argv = ["a".to_string(), "b c".into(), "it's".into()];
        let program = Program::new(&argv, Path::new("/t"), Path::new("/f"));
        assert_eq!(program.line(), r"a 'b c' 'it'\''s'");
    }

    #[test]
    fn what_is_no_text_is_kept_and_shown_by_its_bytes() {
        let target = Path::new(OsStr::from_bytes(b"/t\xff"));
        let program = Program::new(&["{target}/it's".to_string()], target, Path::new("/f"));
        assert_eq!(program.argv[0].as_encoded_bytes(), b"/t\xff/it's");
        assert_eq!(program.line(), r"$'/t\xff/it\'s'");
    }
}
