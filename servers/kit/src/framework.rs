//! Who a server says that it is.

use serde_json::json;

/// The framework that a server runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framework {
    /// The server's name in `servers.toml`.
    pub name: &'static str,
    /// The framework's own version.
    pub version: &'static str,
    /// What the framework stands on: `NAME VERSION`, comma separated.
    pub carries: &'static str,
    /// What `--version` prints behind the name: `VERSION (NAME VERSION, …)`.
    pub long_version: &'static str,
}

/// A [`Framework`] with the versions that the package's build script found in `Cargo.lock`.
#[macro_export]
macro_rules! framework {
    ($name:literal) => {
        $crate::Framework {
            name: $name,
            version: env!("FRAMEWORK_VERSION"),
            carries: env!("FRAMEWORK_CARRIES"),
            long_version: concat!(env!("FRAMEWORK_VERSION"), " (", env!("FRAMEWORK_CARRIES"), ")"),
        }
    };
}

impl Framework {
    /// The body of `GET /`: an object with `name`, `version` and `carries`.
    pub fn to_json(&self) -> String {
        json!({ "name": self.name, "version": self.version, "carries": self.carries }).to_string()
    }
}
