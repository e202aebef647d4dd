//! axum with its WebSocket upgrade.

mod session;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use tickbench_protocol::{MAX_MESSAGE_BYTES, parse_relay_role, refuse_any_query};
use tickbench_server_kit::{
    Flags, Framework, Hub, Refusal, TUNED_READ_BUFFER_BYTES, TUNED_WRITE_BUFFER_BYTES, TickRequest, announce,
    framework, listen, run, without_delay,
};

const FRAMEWORK: Framework = framework!("axum");

/// What all connections share.
#[derive(Clone)]
struct Shared {
    tuned: bool,
    hub: Arc<Hub<Message>>,
}

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse_for(&FRAMEWORK);
    run(serve(flags))
}

async fn serve(flags: Flags) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/", get(root))
        .route("/echo", get(echo))
        .route("/ticks", get(ticks))
        .route("/relay", get(relay))
        .fallback(async |uri: Uri| refuse(Refusal::unknown_path(uri.path())))
        .with_state(Shared { tuned: flags.tuned, hub: Hub::new() });
    let listener = listen(flags.listen)?;
    announce(listener.local_addr()?)?;
    if flags.tuned {
        let listener = listener.tap_io(|stream| without_delay(stream));
        axum::serve(listener, router).await?;
    } else {
        axum::serve(listener, router).await?;
    }
    Ok(())
}

async fn root(RawQuery(query): RawQuery) -> Result<Response, Response> {
    refuse_any_query("/", &query.unwrap_or_default()).map_err(refuse)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], FRAMEWORK.to_json()).into_response())
}

async fn echo(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
    upgrade: Upgrade,
) -> Result<Response, Response> {
    refuse_any_query("/echo", &query.unwrap_or_default()).map_err(refuse)?;
    let upgrade = shared.set_up(upgrade.map_err(IntoResponse::into_response)?);
    Ok(upgrade.on_upgrade(|socket| unobserved(session::echo(socket))))
}

async fn ticks(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
    upgrade: Upgrade,
) -> Result<Response, Response> {
    let request = TickRequest::parse(&query.unwrap_or_default()).map_err(refuse)?;
    let upgrade = shared.set_up(upgrade.map_err(IntoResponse::into_response)?);
    Ok(upgrade.on_upgrade(|socket| unobserved(session::ticks(socket, request))))
}

async fn relay(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
    upgrade: Upgrade,
) -> Result<Response, Response> {
    let role = parse_relay_role(&query.unwrap_or_default()).map_err(refuse)?;
    let upgrade = shared.set_up(upgrade.map_err(IntoResponse::into_response)?);
    Ok(upgrade.on_upgrade(move |socket| unobserved(session::relay(socket, role, shared.hub))))
}

/// What ends a connection early is the client's doing, and the client sees it.
async fn unobserved(session: impl Future<Output = anyhow::Result<()>>) {
    let _ = session.await;
}

fn refuse(refusal: impl Into<Refusal>) -> Response {
    let Refusal { status, sentence } = refusal.into();
    (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), sentence).into_response()
}

impl Shared {
    /// The limits of the contract, and the buffers of the lane.
    fn set_up(&self, upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
        let upgrade = upgrade.max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES);
        if self.tuned {
            upgrade.read_buffer_size(TUNED_READ_BUFFER_BYTES).write_buffer_size(TUNED_WRITE_BUFFER_BYTES)
        } else {
            upgrade
        }
    }
}
