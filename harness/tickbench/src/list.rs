//! `tickbench list`: what there is to measure, with what, and which studies.

use anyhow::Context as _;
use tickbench_record::Study;

use crate::exit::ExitStatus;
use crate::manifest::{Manifest, Server};
use crate::out;
use crate::program::on_path;
use crate::root::Root;

pub(crate) fn list(root: &Root) -> anyhow::Result<ExitStatus> {
    let manifest = Manifest::read(root)?;
    out::line(format_args!("Servers ({})", root.servers().display()));
    for server in &manifest.servers {
        out::line(format_args!("  {:<14} {}", server.name, described(server)));
        out::line(format_args!("  {:<14} {}", "", server.why));
    }
    out::line(format_args!("\nClients ({})", root.clients().display()));
    for client in &manifest.clients {
        let verifies = if client.verify.is_some() { "; verifies servers" } else { "" };
        out::line(format_args!("  {:<14} {}{verifies}", client.name, client.run.join(" ")));
    }
    out::line(format_args!("\nStudies ({})", root.studies().display()));
    for (file, study) in studies(root)? {
        let scenarios: Vec<&str> = study.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        out::line(format_args!("  {file:<14} {} iterations: {}", study.iterations, scenarios.join(", ")));
    }
    Ok(ExitStatus::Success)
}

fn described(server: &Server) -> String {
    let mut words = vec![server.language.clone()];
    words.push(format!("lanes {}", joined(&server.lanes)));
    words.push(joined(&server.encodings));
    words.push(format!("flush {}", joined(&server.flush)));
    if server.baseline {
        words.push("baseline".into());
    }
    if let Some(program) = server.skip_if_missing.as_deref().filter(|program| !on_path(program)) {
        words.push(format!("skipped: `{program}` is not on PATH"));
    }
    words.join("; ")
}

fn joined<T: ToString>(words: &[T]) -> String {
    words.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

/// The studies of the project, by file name; a project without the folder has none.
fn studies(root: &Root) -> anyhow::Result<Vec<(String, Study)>> {
    let folder = root.studies();
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = folder.read_dir().with_context(|| format!("failed to open `{}`", folder.display()))?;
    let mut studies = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("failed to read `{}`", folder.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("failed to read `{}`", path.display()))?;
            let study =
                Study::from_toml(&text).with_context(|| format!("`{}` is no study", path.display()))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            studies.push((name, study));
        }
    }
    studies.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(studies)
}
