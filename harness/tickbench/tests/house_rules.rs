//! Rules of this project that the compiler does not know.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use tickbench_record::ScenarioKind;

mod imports;

use imports::Files;

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

/// Crates in which no files import each other in a circle: each file can be read with those that it imports, and no others.
const WITHOUT_CIRCLES: &[&str] = &["harness/stats", "graphs"];

#[test]
fn no_files_import_each_other_in_a_circle() {
    for folder in WITHOUT_CIRCLES {
        let source = root().join(folder).join("src");
        let texts: Vec<(PathBuf, String)> = sources(&source)
            .into_iter()
            .map(|path| (path.strip_prefix(&source).unwrap().into(), std::fs::read_to_string(path).unwrap()))
            .collect();
        assert!(!texts.is_empty(), "`{folder}` has no source files");
        let circles = Files::new(texts.iter().map(|(path, text)| (path.as_path(), text.as_str()))).circles();
        assert!(circles.is_empty(), "`{folder}` has files that import each other in a circle: {circles:?}");
    }
}

/// The circles of a made-up crate.
fn circles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    Files::new(files.iter().map(|(path, text)| (Path::new(*path), *text))).circles()
}

#[test]
fn circles_are_found_however_they_are_written() {
    let root = (
        "lib.rs",
        "mod a;\nmod b;\n#[cfg(test)]\nmod c;\npub use a::A;\npub use b::{B, Other as Renamed};\n",
    );
    let to_a = "use crate::a::A;\n";
    let ways_to_b = [
        "use crate::b::B;\n",
        "use crate::b;\n",
        "use crate::{\n    b::{self, B},\n    c::C,\n};\n",
        "use super::b::B;\n",
        "use crate::B;\n",
        "use crate::Renamed;\n",
        "pub(crate) use crate::b::B;\n",
        "fn of() -> u32 {\n    crate::b::count()\n}\n",
        "fn of() -> u32 {\n    use crate::b::count;\n    count()\n}\n",
    ];
    for to_b in ways_to_b {
        assert_eq!(circles(&[root, ("a.rs", to_b), ("b.rs", to_a), ("c.rs", "")]), [["a", "b"]], "{to_b}");
    }
    let three = [root, ("a.rs", ways_to_b[0]), ("b.rs", "use crate::c::C;\n"), ("c.rs", to_a)];
    assert_eq!(circles(&three), [["a", "b", "c"]]);
    let nested = [("lib.rs", "mod a;\n"), ("a/mod.rs", "mod b;\nuse b::B;\n"), ("a/b.rs", "use super::A;\n")];
    assert_eq!(circles(&nested), [["a", "a::b"]]);
    let with_the_root = [("lib.rs", "mod a;\nuse a::A;\n"), ("a.rs", "use crate::OfTheRoot;\n")];
    assert_eq!(circles(&with_the_root), [["crate", "a"]]);
}

#[test]
fn what_is_no_import_makes_no_circle() {
    let root = ("lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::B;\n");
    let to_b = ("a.rs", "use crate::B;\n");
    let no_ways_to_a = [
        "",
        "use std::a::A;\n",
        "/// See [`A`](crate::A).\npub struct B;\n",
        "pub struct B;\n\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n",
    ];
    for text in no_ways_to_a {
        assert_eq!(circles(&[root, to_b, ("b.rs", text)]), Vec::<Vec<String>>::new(), "{text}");
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
