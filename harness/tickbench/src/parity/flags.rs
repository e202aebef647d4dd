//! How a program was compiled, as far as the project and the environment of the build tell: a program keeps its compiler's
//! version, and not the flags.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use tickbench_record::BuildFlags;
use toml::{Table, Value};

use crate::program::Program;
use crate::root::Root;

/// What cargo reads flags of the compiler from, besides its configuration.
const VARIABLES: [&str; 3] = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"];

/// The start of the variables that override a profile.
const OVERRIDES: &str = "CARGO_PROFILE_";

/// The flags of a build. `shown` is the command as a reader types it.
pub(crate) fn of_build(root: &Root, build: &Program, shown: &str) -> BuildFlags {
    let command = shown.to_owned();
    let profile = profile_of(&build.argv);
    let Some(profile) = profile else { return BuildFlags { command, ..BuildFlags::default() } };
    let manifest = table(&root.path().join("Cargo.toml"));
    let configured = table(&root.path().join(".cargo/config.toml"));
    BuildFlags {
        command,
        profile: settings(&manifest, profile),
        rustflags: [from_config(&configured), from_environment(std::env::vars_os())].concat(),
    }
}

/// The profile that a cargo command builds with; `None` of any other command.
fn profile_of(argv: &[OsString]) -> Option<&str> {
    let (program, words) = argv.split_first()?;
    if Path::new(program).file_name()? != "cargo" {
        return None;
    }
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let named = words.windows(2).find(|pair| pair[0] == "--profile").map(|pair| pair[1]);
    let joined = || words.iter().find_map(|word| word.strip_prefix("--profile="));
    let release = || words.iter().any(|word| ["--release", "-r"].contains(word)).then_some("release");
    Some(named.or_else(joined).or_else(release).unwrap_or("dev"))
}

/// A file that is not there says nothing; one that is no TOML has failed the build already.
fn table(path: &Path) -> Table {
    std::fs::read_to_string(path).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The settings of a profile and of those that it inherits from, those for single packages aside.
fn settings(manifest: &Table, profile: &str) -> Vec<String> {
    let mut all: BTreeMap<&str, String> = BTreeMap::new();
    let (mut next, mut seen) = (Some(profile), Vec::new());
    while let Some(name) = next.filter(|name| !seen.contains(name)) {
        seen.push(name);
        let Some(table) = manifest.get("profile").and_then(|all| all.get(name)).and_then(Value::as_table)
        else {
            break;
        };
        for (key, value) in table.iter().filter(|(_, value)| !value.is_table()) {
            all.entry(key).or_insert_with(|| value.to_string());
        }
        next = table.get("inherits").and_then(Value::as_str);
    }
    all.into_iter().map(|(key, value)| format!("{key} = {value}")).collect()
}

fn from_config(config: &Table) -> Vec<String> {
    let Some(flags) = config.get("build").and_then(|build| build.get("rustflags")) else { return Vec::new() };
    match flags {
        Value::String(flags) => vec![flags.clone()],
        Value::Array(flags) => flags.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn from_environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<String> {
    let mut found: Vec<String> = variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, value)| {
            !value.is_empty() && (VARIABLES.contains(&name.as_str()) || name.starts_with(OVERRIDES))
        })
        // The encoded form separates flags by a character that nobody can read.
        .map(|(name, value)| format!("{name}={}", value.replace('\u{1f}', " ")))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_profile_is_that_of_the_command() {
        for (line, profile) in [
            ("cargo build --profile contestant -p x", Some("contestant")),
            ("/opt/bin/cargo build --profile=fat", Some("fat")),
            ("cargo build -r", Some("release")),
            ("cargo build", Some("dev")),
            ("make --profile x", None),
        ] {
            assert_eq!(profile_of(&words(line)), profile, "{line}");
        }
    }

    #[test]
    fn a_profile_has_what_it_inherits_unless_it_says_otherwise() {
        let manifest = "[profile.release]\nlto = false\nopt-level = 2\n[profile.fat]\ninherits = 'release'\nlto = 'fat'\n\
                        [profile.fat.package.x]\nopt-level = 1\n";
        let settings = settings(&manifest.parse().unwrap(), "fat");
        assert_eq!(settings, ["inherits = \"release\"", "lto = \"fat\"", "opt-level = 2"]);
    }

    #[test]
    fn flags_come_from_environment_and_configuration() {
        let variables =
            [("RUSTFLAGS", "-C target-cpu=native"), ("CARGO_PROFILE_FAT_LTO", "off"), ("HOME", "/")];
        let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        assert_eq!(
            from_environment(variables.into_iter()),
            ["CARGO_PROFILE_FAT_LTO=off", "RUSTFLAGS=-C target-cpu=native"]
        );
        let config = "[build]\nrustflags = ['-C', 'debuginfo=0']\n".parse().unwrap();
        assert_eq!(from_config(&config), ["-C", "debuginfo=0"]);
    }
}
