//! What the file of a running program says of itself: /proc/PID/exe, its ELF sections, and the libraries that are mapped.

use std::collections::BTreeSet;
use std::path::Path;

use memchr::memmem;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use sha2::{Digest as _, Sha256};
use tickbench_record::{Executable, Reading};

use crate::fingerprint::hexadecimal;

/// Allocators, each with functions that only it has and the start of its library's file name.
const ALLOCATORS: [(&str, &[&str], &str); 4] = [
    ("jemalloc", &["je_malloc", "_rjem_malloc", "_rjem_mallocx", "je_mallocx"], "libjemalloc"),
    ("mimalloc", &["mi_malloc", "mi_malloc_aligned"], "libmimalloc"),
    ("tcmalloc", &["tc_malloc"], "libtcmalloc"),
    ("snmalloc", &["sn_malloc", "sn_rust_alloc"], "libsnmalloc"),
];

/// Where cargo unpacks crates: their panic messages name files below it.
const REGISTRY: &[u8] = b"/registry/src/";

/// Reads the program that a process runs.
pub(crate) fn read(pid: u32) -> Result<Executable, String> {
    let path = format!("/proc/{pid}/exe");
    let file = std::fs::read(&path).map_err(|cause| format!("failed to read `{path}`: {cause}"))?;
    let maps = format!("/proc/{pid}/maps");
    let maps = std::fs::read_to_string(&maps).map_err(|cause| format!("failed to read `{maps}`: {cause}"))?;
    let libraries = libraries(&maps);
    let elf = object::File::parse(&*file).map_err(|cause| format!("`{path}` is no ELF file: {cause}"))?;
    let section =
        |name| elf.section_by_name(name).and_then(|section| section.data().ok()).unwrap_or_default();
    Ok(Executable {
        sha256: hexadecimal(&Sha256::digest(&file)),
        bytes: file.len() as u64,
        allocators: allocators(&elf, &libraries),
        compilers: texts(section(".comment")),
        crates: crates(section(".rodata")),
        libraries,
    })
}

/// The names of a process's threads, the main thread's first.
pub(crate) fn threads(pid: u32) -> Result<Vec<String>, String> {
    let path = format!("/proc/{pid}/task");
    let entries = std::fs::read_dir(&path).map_err(|cause| format!("failed to open `{path}`: {cause}"))?;
    let mut threads: Vec<u32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    threads.sort_by_key(|&thread| (thread != pid, thread));
    // One that ended meanwhile has no name to read.
    let name = |thread| std::fs::read_to_string(format!("{path}/{thread}/comm")).ok();
    Ok(threads.into_iter().filter_map(name).map(|name| name.trim_end().to_owned()).collect())
}

/// The file names of the shared libraries in /proc/PID/maps, each once.
fn libraries(maps: &str) -> Vec<String> {
    let file = |line: &str| Path::new(line.split_once('/')?.1).file_name()?.to_str().map(str::to_owned);
    let is_library = |name: &String| name.ends_with(".so") || name.contains(".so.");
    maps.lines().filter_map(file).filter(is_library).collect::<BTreeSet<_>>().into_iter().collect()
}

fn allocators(elf: &object::File<'_>, libraries: &[String]) -> Reading<Vec<String>> {
    let names: BTreeSet<&str> =
        elf.symbols().chain(elf.dynamic_symbols()).filter_map(|symbol| symbol.name().ok()).collect();
    let is_mapped = |library: &str| libraries.iter().any(|name| name.starts_with(library));
    let held = ALLOCATORS.iter().filter(|(_, functions, library)| {
        functions.iter().any(|function| names.contains(function)) || is_mapped(library)
    });
    let held: Vec<String> = held.map(|(name, ..)| (*name).to_owned()).collect();
    if held.is_empty() && elf.symbols().next().is_none() {
        return Reading::Missing { missing: "the program has no table of symbols".into() };
    }
    Reading::Read(held)
}

/// Texts that end in a zero byte, each once.
fn texts(bytes: &[u8]) -> Vec<String> {
    let texts = bytes.split(|&byte| byte == 0).filter(|text| !text.is_empty());
    texts
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// `name version` of each crate that a path below cargo's registry names: `…/registry/src/INDEX/NAME-VERSION/…`.
fn crates(bytes: &[u8]) -> Vec<String> {
    let named = memmem::find_iter(bytes, REGISTRY).filter_map(|at| {
        let mut parts = bytes[at + REGISTRY.len()..].splitn(3, |&byte| byte == b'/');
        let (_index, folder, _file) = (parts.next()?, parts.next()?, parts.next()?);
        let folder = std::str::from_utf8(folder).ok()?;
        // A name may itself hold a hyphen and a digit behind it; a version is three numbers at least.
        folder.match_indices('-').find_map(|(hyphen, _)| {
            let (name, version) = (&folder[..hyphen], &folder[hyphen + 1..]);
            is_version(version).then(|| format!("{name} {version}"))
        })
    });
    named.collect::<BTreeSet<_>>().into_iter().collect()
}

fn is_version(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').collect();
    numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_told_by_the_paths_of_their_panics() {
        let text = b"\0/home/u/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/tokio-1.54.0/src/a.rs\
            /r/registry/src/i/sha-1-0.10.0-rc.1/src/b.rs/registry/src/i/tokio-1.54.0/c.rs/registry/src/i/no-version/x";
        assert_eq!(crates(text), ["sha-1 0.10.0-rc.1", "tokio 1.54.0"]);
    }

    #[test]
    fn libraries_are_told_by_what_is_mapped() {
        let maps = "5-6 r-xp 0 08:01 1 /opt/server\n7-8 r--p 0 08:01 2 /lib/x/libc.so.6\n\
                    7-8 r-xp 0 08:01 2 /lib/x/libc.so.6\n9-a rw-p 0 00:00 0 [heap]\n";
        assert_eq!(libraries(maps), ["libc.so.6"]);
    }

    #[test]
    fn this_very_program_is_read() {
        let read = read(std::process::id()).unwrap();
        assert!(read.crates.iter().any(|name| name.starts_with("clap_builder ")), "{:?}", read.crates);
        assert!(read.compilers.iter().any(|name| name.starts_with("rustc version ")), "{:?}", read.compilers);
        assert_eq!(read.allocators, Reading::Read(Vec::new()), "the system's");
        assert_eq!(read.sha256.len(), 64);
        assert!(!threads(std::process::id()).unwrap().is_empty());
    }
}
