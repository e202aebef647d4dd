//! The project's folder, and what lies where in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

const MANIFEST: &str = "servers/servers.toml";

/// The project's folder: the one that holds the manifest of the servers.
#[derive(Debug, Clone)]
pub(crate) struct Root(PathBuf);

impl Root {
    /// The folder that was named; else the nearest one upwards from the working directory; else the one that this
    /// program was compiled in.
    pub(crate) fn find(named: Option<&Path>) -> anyhow::Result<Root> {
        if let Some(folder) = named {
            if !folder.join(MANIFEST).is_file() {
                bail!(
                    "`{}` is no tickbench project: it has no {MANIFEST}; name its folder with --root",
                    folder.display()
                );
            }
            return Root::at(folder);
        }
        let here = std::env::current_dir().context("failed to read the working directory")?;
        let compiled_in = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        match here.ancestors().chain([compiled_in]).find(|folder| folder.join(MANIFEST).is_file()) {
            Some(folder) => Root::at(folder),
            None => bail!(
                "found no {MANIFEST} from `{}` upwards: run inside the project, or name its folder with --root",
                here.display()
            ),
        }
    }

    fn at(folder: &Path) -> anyhow::Result<Root> {
        folder.canonicalize().map(Root).with_context(|| format!("failed to open `{}`", folder.display()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn servers(&self) -> PathBuf {
        self.0.join(MANIFEST)
    }

    pub(crate) fn clients(&self) -> PathBuf {
        self.0.join("clients/clients.toml")
    }

    pub(crate) fn studies(&self) -> PathBuf {
        self.0.join("studies")
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.0.join("runs")
    }

    /// Cargo's target directory, as the environment and cargo's configuration set it.
    pub(crate) fn target(&self) -> anyhow::Result<PathBuf> {
        if let Some(set) = std::env::var_os("CARGO_TARGET_DIR").filter(|set| !set.is_empty()) {
            return std::path::absolute(&set)
                .with_context(|| format!("CARGO_TARGET_DIR `{}` is no path", set.display()));
        }
        if !self.0.join("Cargo.toml").is_file() {
            return Ok(self.0.join("target"));
        }
        #[derive(serde::Deserialize)]
        struct Metadata {
            target_directory: PathBuf,
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
            .current_dir(&self.0)
            .output()
            .context("failed to start `cargo metadata`: install cargo, or put it on PATH")?;
        if !output.status.success() {
            bail!("failed to run `cargo metadata`: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).context("failed to read what `cargo metadata` printed")?;
        Ok(metadata.target_directory)
    }
}
