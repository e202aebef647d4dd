//! Rules of this project that the compiler does not know.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use tickbench_record::ScenarioKind;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `None` is an ordinary one.
    kind: Option<String>,
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Metadata>(&output.stdout).unwrap().packages
}

/// A package's folder below the project, such as `servers/kit`.
fn folder(package: &Package) -> String {
    let root = root().canonicalize().unwrap();
    package.manifest_path.parent().unwrap().strip_prefix(root).unwrap().to_str().unwrap().to_owned()
}

/// Which folders a package in `folder` may import from: the layout of ARCHITECTURE.md.
fn may_import(folder: &str) -> &'static [&'static str] {
    match folder {
        "servers/protocol" | "servers/version" | "harness/record" | "clients/frame" => &[],
        "servers/kit" | "servers/smoke" => &["servers/protocol"],
        "clients/kit" => &["servers/protocol", "harness/record"],
        "harness/stats" => &["harness/record"],
        "graphs" | "report" => &["harness/record", "harness/stats"],
        // The contract between processes is both sides' own: the ready line, and captures.
        "harness/tickbench" => &["harness/record", "harness/stats", "graphs", "report", "servers/protocol"],
        server if server.starts_with("servers/") => &["servers/kit", "servers/protocol", "servers/version"],
        client if client.starts_with("clients/") => {
            &["clients/kit", "clients/frame", "servers/protocol", "harness/record"]
        }
        unknown => panic!("{unknown} has no rule: say here and in ARCHITECTURE.md what it may import"),
    }
}

#[test]
fn nobody_imports_what_the_architecture_forbids() {
    let packages = packages();
    let folders: BTreeMap<&str, String> = packages.iter().map(|p| (p.name.as_str(), folder(p))).collect();
    for package in &packages {
        let importer = &folders[package.name.as_str()];
        for dependency in package.dependencies.iter().filter(|d| d.kind.as_deref() != Some("dev")) {
            if let Some(imported) = folders.get(dependency.name.as_str()) {
                assert!(may_import(importer).contains(&imported.as_str()), "{importer} imports {imported}");
            }
        }
    }
}

#[derive(Deserialize)]
struct Contestants {
    server: Vec<Contestant>,
}

#[derive(Deserialize)]
struct Contestant {
    name: String,
    folder: PathBuf,
    lanes: Vec<String>,
}

fn contestants() -> Vec<Contestant> {
    let text = std::fs::read_to_string(root().join("servers/servers.toml")).unwrap();
    toml::from_str::<Contestants>(&text).unwrap().server
}

#[test]
fn every_contestant_has_a_smoke_test() {
    for Contestant { name, folder, .. } in contestants() {
        let tests = root().join(&folder).join("tests");
        let has_one = tests.read_dir().is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains("smoke"))
        });
        assert!(has_one, "{name} has no smoke test in `{}`", tests.display());
    }
}

/// Each item of tuning is named and justified where it is set.
#[test]
fn every_tuned_contestant_says_what_it_sets_and_why() {
    for Contestant { name, folder, lanes } in contestants() {
        if !lanes.iter().any(|lane| lane == "tuned") {
            continue;
        }
        let path = root().join(&folder).join("TUNING.md");
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|cause| panic!("{name} has a tuned lane and no `{}`: {cause}", path.display()));
        for word in ["../TUNING.md", "| Item | Default lane | Tuned lane | Where in code |", "`TCP_NODELAY`"]
        {
            assert!(text.contains(word), "`{}` says nothing of {word}", path.display());
        }
    }
}

/// The harness knows no contestant by name: none stands in its source as a word of its own, in quotes.
#[test]
fn the_harness_names_no_contestant() {
    let names: Vec<String> = contestants().into_iter().map(|contestant| contestant.name).collect();
    for path in sources(&root().join("harness/tickbench/src")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for name in &names {
            assert!(!text.contains(&format!("\"{name}\"")), "`{}` names {name}", path.display());
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_kind_of_scenario_is_in_the_docs() {
    let text = std::fs::read_to_string(root().join("METHODOLOGY.md")).unwrap();
    for kind in ScenarioKind::ALL {
        assert!(text.contains(&format!("`{kind}`")), "METHODOLOGY.md says nothing of `{kind}`");
    }
}
