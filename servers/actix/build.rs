//! Hands the versions that were really compiled in to `main`.

fn main() {
    tickbench_server_version::emit(&["actix-web", "actix-ws", "actix-http", "tokio"]);
}
