//! Which files of a crate import which, by their `use` lines and the paths in their code, and whether any do so in a circle.
//!
//! A name that a file re-exports counts as the file that has it, so that no circle hides behind the crate's root. What a file takes for its
//! tests does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A module by the names that lead to it; the crate's root has none.
type Module = Vec<String>;

/// The files of a crate, by the module that each is.
pub(crate) struct Files {
    code: BTreeMap<Module, Vec<Statement>>,
}

/// A path that a file names: `crate::figure::Figure`, in parts.
struct Statement {
    path: Vec<String>,
    /// What it is called from then on.
    name: String,
    /// Whether others may take it from here.
    is_public: bool,
}

impl Files {
    /// Of each file its path below `src`, and its text.
    pub(crate) fn new<'a>(files: impl IntoIterator<Item = (&'a Path, &'a str)>) -> Files {
        Files { code: files.into_iter().map(|(path, text)| (module(path), statements(text))).collect() }
    }

    /// Every set of files each of which imports all others of the set, directly or through one another.
    pub(crate) fn circles(&self) -> Vec<Vec<String>> {
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            self.code.keys().map(|module| (module, self.reached_from(module))).collect();
        let with = |module: &&Module| -> Vec<String> {
            let mutual = reached[*module].iter().filter(|other| reached[**other].contains(*module));
            mutual.map(|other| if other.is_empty() { "crate".into() } else { other.join("::") }).collect()
        };
        let circles: BTreeSet<Vec<String>> = reached.keys().map(with).collect();
        circles.into_iter().filter(|circle| !circle.is_empty()).collect()
    }

    /// All that a file imports, and all that those import; itself only where it is in a circle.
    fn reached_from(&self, module: &Module) -> BTreeSet<&Module> {
        let (mut reached, mut left) = (BTreeSet::new(), self.imports(module));
        while let Some(next) = left.pop() {
            if reached.insert(next) {
                left.extend(self.imports(next));
            }
        }
        reached
    }

    fn imports(&self, module: &Module) -> Vec<&Module> {
        let is_below = |other: &Module| other.starts_with(module);
        self.code[module]
            .iter()
            .filter_map(|statement| Some((statement, self.file_of(module, &statement.path)?)))
            // A file that re-exports what is below it names its parts, and takes nothing from them.
            .filter(|(statement, imported)| {
                *imported != module && !(statement.is_public && is_below(imported))
            })
            .map(|(_, imported)| imported)
            .collect()
    }

    /// The file that has what a path leads to; `None` where that is another crate's.
    fn file_of(&self, from: &Module, path: &[String]) -> Option<&Module> {
        let mut at = match path.first()?.as_str() {
            "crate" => Module::new(),
            "self" | "super" => from.clone(),
            child if self.code.contains_key(&below(from, child)) => from.clone(),
            _ => return None,
        };
        for name in path {
            match name.as_str() {
                "crate" | "self" => {}
                "super" => drop(at.pop()),
                child if self.code.contains_key(&below(&at, child)) => at.push(child.into()),
                item => {
                    let exported = self.code.get(&at)?.iter().find(|one| one.is_public && one.name == item);
                    if let Some(exported) = exported {
                        return self.file_of(&at, &exported.path);
                    }
                    break;
                }
            }
        }
        self.code.get_key_value(&at).map(|(module, _)| module)
    }
}

fn below(module: &Module, child: &str) -> Module {
    module.iter().cloned().chain([child.to_owned()]).collect()
}

/// `audit.rs` and `sections/mod.rs` as modules.
fn module(path: &Path) -> Module {
    let mut names: Module =
        path.with_extension("").iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if ["lib", "main", "mod"].contains(&names.last().map_or("", String::as_str)) {
        names.pop();
    }
    names
}

/// The paths of a file: those that it uses, and those that begin with `crate` or `super` in its code.
fn statements(text: &str) -> Vec<Statement> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let code: String = text.lines().filter(is_code).flat_map(|line| [line, "\n"]).collect();
    let mut found = Vec::new();
    for statement in code.split_inclusive([';', '{', '}']).scan(String::new(), whole_use).flatten() {
        let (visibility, tree) = match statement.split_once("use ") {
            Some((before, tree)) if is_visibility(before.trim()) => (before.trim(), tree),
            _ => {
                found.extend(paths_within(&statement));
                continue;
            }
        };
        leaves(tree.trim().trim_end_matches(';'), &[], !visibility.is_empty(), &mut found);
    }
    found
}

/// Puts the pieces of a `use` with braces together; all else passes as it is.
fn whole_use(begun: &mut String, piece: &str) -> Option<Option<String>> {
    begun.push_str(piece);
    let is_use = begun.split_once("use ").is_some_and(|(before, _)| is_visibility(before.trim()));
    let is_whole = !is_use || begun.ends_with(';');
    Some(is_whole.then(|| std::mem::take(begun)))
}

fn is_visibility(text: &str) -> bool {
    let text = text.rsplit(']').next().unwrap_or_default().trim();
    text.is_empty() || text == "pub" || (text.starts_with("pub(") && text.ends_with(')'))
}

/// Every path of a tree such as `crate::{audit, figure::{Figure, ratio}}`.
fn leaves(tree: &str, prefix: &[String], is_public: bool, found: &mut Vec<Statement>) {
    let parts = |path: &str| -> Vec<String> {
        path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(Into::into).collect()
    };
    let Some((path, inner)) = tree.split_once('{') else {
        let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias)));
        let path: Vec<String> = prefix.iter().cloned().chain(parts(path)).collect();
        let last = path.iter().rfind(|part| *part != "self").cloned();
        let name = alias.map(|alias| alias.trim().into()).or(last).unwrap_or_default();
        found.extend((path.len() > prefix.len()).then_some(Statement { path, name, is_public }));
        return;
    };
    let prefix: Vec<String> = prefix.iter().cloned().chain(parts(path)).collect();
    let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
    let mut depth = 0;
    let branches = inner.split(|letter| {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        letter == ',' && depth == 0
    });
    branches.for_each(|branch| leaves(branch, &prefix, is_public, found));
}

/// Paths such as `crate::holm::corrected` in the midst of code.
fn paths_within(code: &str) -> Vec<Statement> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let words = code.split(|letter| !is_part(letter));
    let paths = words.filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
    let mut found = Vec::new();
    paths.for_each(|path| leaves(path, &[], false, &mut found));
    found
}
