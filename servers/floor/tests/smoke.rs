//! The contract of PROTOCOL.md, against the real process.

tickbench_server_smoke::smoke_tests!(env!("CARGO_BIN_EXE_tickbench-floor"), "floor");
