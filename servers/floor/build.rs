//! Hands the versions that were really compiled in to `main`.

fn main() {
    tickbench_server_version::emit(&["tickbench-floor", "tokio"]);
}
