//! The contract of PROTOCOL.md, against the real process.

tickbench_server_smoke::smoke_tests!(env!("CARGO_BIN_EXE_tickbench-floor"), "floor");

#[test]
fn bounds_a_flood_of_pings() {
    tickbench_server_smoke::bounds_a_flood_of_pings(env!("CARGO_BIN_EXE_tickbench-floor"), "floor");
}
