//! For build scripts of servers: which version of each dependency is really compiled in.
//!
//! A server must name its framework's own version. Written by hand that number would be wrong after the next
//! `cargo update`, and a lock file may hold two versions of one crate, so it is found by walking `Cargo.lock` from the
//! server's own package.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde::Deserialize;

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    /// Each `NAME`, or `NAME VERSION` where the lock holds several versions of it.
    #[serde(default)]
    dependencies: Vec<String>,
}

/// Sets `FRAMEWORK_VERSION` to the version of the first of `crates` and `FRAMEWORK_CARRIES` to `NAME VERSION, …` of the
/// others, for `env!` in the package whose build script calls this.
///
/// # Panics
/// Where the lock file is missing or has no such dependency: the build then fails with that sentence.
pub fn emit(crates: &[&str]) {
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let package = env::var("CARGO_PKG_NAME").expect("cargo sets CARGO_PKG_NAME");
    let path = find_lock(&folder).expect("failed to find `Cargo.lock` above the server's folder");
    println!("cargo::rerun-if-changed={}", path.display());
    println!("cargo::rerun-if-changed=build.rs");

    let text = fs::read_to_string(&path).expect("failed to read `Cargo.lock`");
    let versions: Vec<String> = crates.iter().map(|name| version_of(&text, &package, name)).collect();
    let carried = crates.iter().zip(&versions).skip(1).map(|(name, version)| format!("{name} {version}"));
    println!("cargo::rustc-env=FRAMEWORK_VERSION={}", versions[0]);
    println!("cargo::rustc-env=FRAMEWORK_CARRIES={}", carried.collect::<Vec<_>>().join(", "));
}

fn find_lock(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join("Cargo.lock")).find(|path| path.is_file())
}

/// The version of `wanted` that is nearest to `package` in the graph of `lock`.
fn version_of(lock: &str, package: &str, wanted: &str) -> String {
    let lock: Lock = toml::from_str(lock).expect("failed to parse `Cargo.lock`");
    let mut queue = VecDeque::from([package.to_owned()]);
    let mut seen = Vec::new();
    while let Some(reference) = queue.pop_front() {
        if seen.contains(&reference) {
            continue;
        }
        let (name, version) = reference.split_once(' ').unwrap_or((&reference, ""));
        let found = lock
            .package
            .iter()
            .find(|package| package.name == name && (version.is_empty() || package.version == version))
            .unwrap_or_else(|| panic!("failed to find `{reference}` in `Cargo.lock`"));
        if name == wanted {
            return found.version.clone();
        }
        queue.extend(found.dependencies.iter().cloned());
        seen.push(reference);
    }
    panic!("`{package}` does not depend on `{wanted}`");
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
        [[package]]
        name = "server"
        version = "0.1.0"
        dependencies = ["web", "socket 0.30.0"]
        [[package]]
        name = "web"
        version = "0.8.9"
        dependencies = ["socket 0.29.0"]
        [[package]]
        name = "socket"
        version = "0.29.0"
        [[package]]
        name = "socket"
        version = "0.30.0"
    "#;

    #[test]
    fn the_version_is_the_one_that_the_package_itself_uses() {
        assert_eq!(version_of(LOCK, "server", "web"), "0.8.9");
        assert_eq!(version_of(LOCK, "server", "socket"), "0.30.0");
        assert_eq!(version_of(LOCK, "web", "socket"), "0.29.0");
    }

    #[test]
    #[should_panic(expected = "does not depend")]
    fn a_crate_that_is_not_compiled_in_has_no_version() {
        version_of(LOCK, "web", "server");
    }
}
