//! Commands of the manifest, with their placeholders filled in.

use std::path::{Path, PathBuf};

/// A command line and the folder to run it in.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) argv: Vec<String>,
    pub(crate) folder: PathBuf,
    /// Cargo's target directory, which the command's own cargo must use too, wherever it runs.
    pub(crate) target: PathBuf,
}

impl Program {
    /// Fills in `{target}`, cargo's target directory, and `{folder}`, the program's own.
    pub(crate) fn new(argv: &[String], target: &Path, folder: &Path) -> Program {
        let fill = |word: &String| {
            word.replace("{target}", &target.to_string_lossy()).replace("{folder}", &folder.to_string_lossy())
        };
        Program { argv: argv.iter().map(fill).collect(), folder: folder.into(), target: target.into() }
    }

    /// The same command with more arguments.
    pub(crate) fn with(&self, more: impl IntoIterator<Item = impl Into<String>>) -> Program {
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
            .filter(|word| word.contains('/'))
            .map(|word| self.folder.join(word))
            .filter(|path| path.is_file())
            .collect()
    }
}

/// A word as a POSIX shell would take it back.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%#".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('#') {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Whether PATH has a program of this name.
pub(crate) fn on_path(name: &str) -> bool {
    find_on_path(name).is_some()
}

/// The program of this name that PATH leads to first.
pub(crate) fn find_on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
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
}
