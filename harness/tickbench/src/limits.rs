//! Open files: a thousand connections need a thousand descriptors in the server and in the client.

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that a process needs besides its connections.
pub(crate) const BESIDES: u64 = 64;

/// Raises the soft limit of open files to the hard one, which children inherit, and checks that it allows
/// `connections`. Returns the limit; `None` is no limit.
pub(crate) fn raise_open_files(connections: u32) -> anyhow::Result<Option<u64>> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = if raised.is_ok() { maximum } else { current };
    check(connections, limit)?;
    Ok(limit)
}

fn check(connections: u32, limit: Option<u64>) -> anyhow::Result<()> {
    let needed = u64::from(connections) + BESIDES;
    ensure!(
        limit.is_none_or(|limit| limit >= needed),
        "{connections} connections need {needed} open files in one process, and the limit (RLIMIT_NOFILE) is {}: \
         raise it, for instance with `ulimit -n {needed}` as root or in /etc/security/limits.conf, or ask for fewer \
         connections in the study",
        limit.unwrap_or(u64::MAX)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_descriptors_name_the_limit_and_the_way_out() {
        let error = check(1000, Some(1024)).unwrap_err().to_string();
        assert!(error.contains("1064") && error.contains("1024") && error.contains("ulimit -n"), "{error}");
        assert!(check(1000, Some(1064)).is_ok() && check(u32::MAX, None).is_ok());
    }
}
