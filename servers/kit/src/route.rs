//! What a request asks for, for servers whose framework has no router.

use tickbench_protocol::{RelayRole, parse_relay_role, refuse_any_query};

use crate::{Refusal, TickRequest};

/// A checked request.
#[derive(Debug, Clone)]
pub enum Route {
    /// `GET /`: who the server is.
    Root,
    /// A WebSocket.
    Socket(Endpoint),
}

/// What a WebSocket is for.
#[derive(Debug, Clone)]
pub enum Endpoint {
    /// `/echo`.
    Echo,
    /// `/ticks`, its feed at hand.
    Ticks(TickRequest),
    /// `/relay`.
    Relay(RelayRole),
}

impl Route {
    /// The route of a request target: a path, and a query behind `?` where there is one.
    pub fn of_target(target: &str) -> Result<Route, Refusal> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let endpoint = match path {
            "/" => return refuse_any_query(path, query).map(|()| Route::Root).map_err(Refusal::from),
            "/echo" => refuse_any_query(path, query).map(|()| Endpoint::Echo)?,
            "/ticks" => Endpoint::Ticks(TickRequest::parse(query)?),
            "/relay" => Endpoint::Relay(parse_relay_role(query)?),
            _ => return Err(Refusal::unknown_path(path)),
        };
        Ok(Route::Socket(endpoint))
    }
}
