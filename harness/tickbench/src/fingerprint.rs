//! What tells one program from another: what was verified is what is timed, and a run that goes on goes on with the same programs.
//!
//! A native program is its bytes. One that is interpreted is its interpreter's bytes, the version that it tells, and the files that the
//! manifest lists as its `sources`: those of its folder and kit, and its lock file.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use sha2::{Digest as _, Sha256};

use crate::program::{Program, find_on_path};

/// The first bytes of programs that a processor runs: ELF, and Mach-O in both byte orders, in 32 and 64 bits and of several processors.
const NATIVE: [[u8; 4]; 6] = [
    *b"\x7fELF",
    [0xfe, 0xed, 0xfa, 0xce],
    [0xfe, 0xed, 0xfa, 0xcf],
    [0xce, 0xfa, 0xed, 0xfe],
    [0xcf, 0xfa, 0xed, 0xfe],
    [0xca, 0xfe, 0xba, 0xbe],
];

/// What Python writes beside the sources that it has run.
const CACHE: &str = "__pycache__";

/// What runs when a program is started.
#[derive(Debug, Clone)]
pub(crate) struct Fingerprint {
    /// The program's file, or the first file that its command names.
    pub(crate) main: PathBuf,
    /// SHA-256 of what runs, in hexadecimal: of a native program that of its file.
    pub(crate) sha256: String,
    /// The same with the command and all files that it names.
    pub(crate) with_command: String,
}

/// Reads what runs. `version` is what the program says of itself, `sources` what the manifest lists, relative to the command's folder.
pub(crate) fn of(run: &Program, version: &str, sources: &[PathBuf]) -> anyhow::Result<Fingerprint> {
    let program = resolved(run)?;
    let interpreted = why_interpreted(run, &program)?;
    let sha256 = match (&interpreted, sources) {
        (None, []) => file_hash(&program)?,
        (Some(why), []) => bail!(
            "`{}` {why}, so that its file does not tell what runs: list in `sources` what it runs (files and folders relative to `{}`: \
             its own, its kit and its lock file)",
            run.line(),
            run.folder.display()
        ),
        (_, sources) => {
            let mut lines = vec![file_hash(&program)?, version.to_owned()];
            for source in sources {
                add_source(&run.folder, source, &mut lines)?;
            }
            hash(&lines.join("\n"))
        }
    };
    let with_command = hash(&format!("{sha256}\n{}", of_command(run)?));
    let main = run.files().first().cloned().unwrap_or(program);
    Ok(Fingerprint { main, sha256, with_command })
}

/// A hash of a command and of the files that it names.
pub(crate) fn of_command(command: &Program) -> anyhow::Result<String> {
    let hashes = command.files().iter().map(|file| file_hash(file)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(hash(&[hashes, vec![command.line()]].concat().join("\n")))
}

/// The SHA-256 of a file, in hexadecimal.
pub(crate) fn file_hash(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))?;
    Ok(hexadecimal(&Sha256::digest(bytes)))
}

/// The SHA-256 of a text, in hexadecimal.
pub(crate) fn hash(text: &str) -> String {
    hexadecimal(&Sha256::digest(text))
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The program's file, links followed: where its command says, or on PATH.
fn resolved(run: &Program) -> anyhow::Result<PathBuf> {
    let word = &run.argv[0];
    let is_path = word.as_encoded_bytes().contains(&b'/');
    let path = if is_path { Some(run.folder.join(word)) } else { find_on_path(word) };
    path.and_then(|path| path.canonicalize().ok()).with_context(|| {
        let word = word.display();
        format!("there is no `{word}`: its build left none, or it is not on PATH; check build and run in the manifest")
    })
}

/// Why a program's file is not all that runs; `None` where it is: a native program below the folder or the build's, that is given flags
/// alone.
fn why_interpreted(run: &Program, program: &Path) -> anyhow::Result<Option<String>> {
    let own = [&run.target, &run.folder].into_iter().filter_map(|folder| folder.canonicalize().ok());
    if !own.into_iter().any(|folder| program.starts_with(folder)) {
        return Ok(Some(format!("starts `{}`, which this project does not build", program.display())));
    }
    let bytes = std::fs::read(program).with_context(|| format!("failed to read `{}`", program.display()))?;
    if !NATIVE.iter().any(|magic| bytes.starts_with(magic)) {
        return Ok(Some(format!("starts `{}`, which is a script", program.display())));
    }
    Ok(run.argv[1..]
        .iter()
        .find(|word| !word.as_encoded_bytes().starts_with(b"-"))
        .map(|word| format!("hands `{}` to `{}`", word.display(), program.display())))
}

/// Adds a line a file: its name below the folder, and its hash. Folders in the order of their names, links as what they name.
fn add_source(folder: &Path, source: &Path, lines: &mut Vec<String>) -> anyhow::Result<()> {
    let path = folder.join(source);
    let failed = || format!("failed to read `{}`, which `sources` lists or holds", path.display());
    let name = source.display();
    if path.is_symlink() {
        lines.push(format!("{name} -> {}", std::fs::read_link(&path).with_context(failed)?.display()));
    }
    if !path.is_dir() {
        lines.push(format!("{name} {}", file_hash(&path).with_context(failed)?));
        return Ok(());
    }
    let entries = std::fs::read_dir(&path).with_context(failed)?;
    let mut names = entries.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<_>>>()?;
    names.retain(|name| name != OsStr::new(CACHE));
    names.sort_unstable();
    ensure!(
        !names.is_empty(),
        "`{}`, which `sources` lists or holds, is empty: leave it out",
        path.display()
    );
    for name in names {
        // A folder that a link names may hold the link.
        let inner = source.join(name);
        if folder.join(&inner).is_symlink() && folder.join(&inner).is_dir() {
            bail!(
                "`{}` is a link to a folder: list the folder itself in `sources`",
                folder.join(&inner).display()
            );
        }
        add_source(folder, &inner, lines)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A project with a native server, a script and a kit.
    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Place {
            let place = Place(tempfile::tempdir().unwrap());
            for (name, text) in [
                ("target/server", "\x7fELF native"),
                ("servers/one/server.py", "print(1)"),
                ("servers/one/run.sh", "#!/bin/sh\npython3 server.py"),
                ("servers/kit/schedule.py", "import time"),
                ("servers/kit/inner/feed.py", "import json"),
            ] {
                place.write(name, text);
            }
            place
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.0.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn program(&self, argv: &[&str]) -> Program {
            let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
            Program::new(&argv, &self.0.path().join("target"), &self.0.path().join("servers/one"))
        }

        fn of(&self, argv: &[&str], sources: &[&str]) -> anyhow::Result<Fingerprint> {
            let sources: Vec<PathBuf> = sources.iter().map(PathBuf::from).collect();
            of(&self.program(argv), "one 1.0", &sources)
        }

        fn refused(&self, argv: &[&str], sources: &[&str]) -> String {
            format!("{:#}", self.of(argv, sources).unwrap_err())
        }
    }

    #[test]
    fn a_native_program_is_its_bytes() {
        let place = Place::new();
        let one = place.of(&["{target}/server", "--fast"], &[]).unwrap();
        assert_eq!(one.sha256, file_hash(&place.0.path().join("target/server")).unwrap());
        let other = place.of(&["{target}/server"], &[]).unwrap();
        assert!(one.sha256 == other.sha256 && one.with_command != other.with_command);
        place.write("target/server", "\x7fELF changed");
        assert_ne!(place.of(&["{target}/server"], &[]).unwrap().sha256, other.sha256);
    }

    #[test]
    fn what_is_interpreted_must_list_its_sources() {
        let place = Place::new();
        assert!(place.refused(&["sh", "server.py"], &[]).contains("does not build"));
        assert!(place.refused(&["{folder}/run.sh"], &[]).contains("is a script"));
        // An interpreter of its own is one all the same, and so is one behind a link.
        assert!(place.refused(&["{target}/server", "-m", "server"], &[]).contains("hands `server`"));
        symlink("/bin/sh", place.0.path().join("servers/one/sh")).unwrap();
        let said = place.refused(&["{folder}/sh"], &[]);
        assert!(said.contains("does not build") && said.contains("`sources`"), "{said}");
        assert!(place.refused(&["no-such-program"], &[]).contains("not on PATH"));
    }

    #[test]
    fn the_sources_of_folder_and_kit_tell_what_runs() {
        let place = Place::new();
        let now = || place.of(&["sh", "server.py"], &["server.py", "../kit"]).unwrap().sha256;
        let before = now();
        assert_eq!(now(), before);
        place.write("servers/kit/__pycache__/schedule.pyc", "cached");
        place.write("servers/one/notes.txt", "listed nowhere");
        assert_eq!(now(), before);
        for (name, text) in [
            ("servers/one/server.py", "print(2)"),
            ("servers/kit/inner/feed.py", "import random"),
            ("servers/kit/new.py", ""),
        ] {
            let last = now();
            place.write(name, text);
            assert_ne!(now(), last, "{name}");
        }
    }

    #[test]
    fn the_version_that_runs_is_a_part_of_it() {
        let place = Place::new();
        let program = place.program(&["sh", "server.py"]);
        let of_version = |version| of(&program, version, &["server.py".into()]).unwrap().sha256;
        assert_ne!(of_version("one 1.0 (CPython 3.11.7)"), of_version("one 1.0 (CPython 3.11.8)"));
    }

    #[test]
    fn sources_that_cannot_be_read_are_named() {
        let place = Place::new();
        assert!(place.refused(&["sh"], &["absent.py"]).contains("absent.py"));
        std::fs::create_dir(place.0.path().join("servers/one/empty")).unwrap();
        assert!(place.refused(&["sh"], &["empty"]).contains("is empty"));
        symlink("..", place.0.path().join("servers/kit/up")).unwrap();
        assert!(place.refused(&["sh"], &["../kit"]).contains("link to a folder"));
    }
}
