//! Wrong queries: HTTP 400 with a sentence, before any upgrade.

use std::net::SocketAddr;

use super::http::{Response, ask};
use super::{Protocol, Rule, Verdict};

const WRONG_TARGETS: [&str; 25] = [
    "/ticks?rate=fast",
    "/ticks?rate=-1",
    "/ticks?rate=inf",
    "/ticks?rate=NaN",
    "/ticks?rate",
    "/ticks?rate=1&rate=2",
    "/ticks?encoding=xml",
    "/ticks?encoding=JSON",
    "/ticks?flush=never",
    "/ticks?arrival=sometimes",
    "/ticks?count=-1",
    "/ticks?count=1.5",
    "/ticks?seed=x",
    "/ticks?size=many",
    "/ticks?encoding=json&size=287",
    "/ticks?encoding=binary&size=47",
    "/ticks?size=16777217",
    "/ticks?speed=0",
    "/ticks?colour=red",
    "/ticks?arrival=recorded",
    "/ticks?feed=/nowhere/capture.jsonl",
    "/ticks?feed=%ZZ",
    "/relay?role=king",
    "/relay?rate=1",
    "/echo?rate=1",
];

/// One check a target.
pub(super) fn check(server: SocketAddr, protocol: &mut Protocol) -> std::io::Result<()> {
    for target in WRONG_TARGETS {
        protocol.check(Rule::Refusals, format!("{target} is refused"), || check_refused(server, target))?;
    }
    Ok(())
}

fn check_refused(server: SocketAddr, target: &str) -> Verdict {
    let Response { status, body } = ask(server, target, true)?;
    if status != 400 {
        return Err(format!("HTTP {status} came where 400 was due"));
    }
    if body.split_whitespace().count() < 3 {
        return Err(format!("HTTP 400 came with {body:?} where a sentence was due"));
    }
    Ok(())
}
