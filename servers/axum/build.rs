//! Hands the versions that were really compiled in to `main`.

fn main() {
    tickbench_server_version::emit(&["axum", "tungstenite", "hyper", "tokio"]);
}
