//! actix-web with actix-ws.

mod session;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::rt::spawn;
use actix_web::web::{Data, Payload, get, to};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use tickbench_protocol::{parse_relay_role, refuse_any_query};
use tickbench_server_kit::{
    Flags, Framework, Hub, Refusal, TUNED_WRITE_BUFFER_BYTES, TickRequest, announce, framework, listen, run,
};

use session::Published;

const FRAMEWORK: Framework = framework!("actix");

type Answer = actix_web::Result<HttpResponse>;

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse_for(&FRAMEWORK);
    run(serve(flags))
}

async fn serve(flags: Flags) -> anyhow::Result<()> {
    let listener = listen(flags.listen)?;
    let address = listener.local_addr()?;
    let hub: Data<Hub<Published>> = Data::from(Hub::new());
    let app = move || {
        App::new()
            .app_data(hub.clone())
            .route("/", get().to(root))
            .route("/echo", get().to(echo))
            .route("/ticks", get().to(ticks))
            .route("/relay", get().to(relay))
            .default_service(to(unknown))
    };
    let server = HttpServer::new(app).workers(1).disable_signals();
    let server = if flags.tuned {
        server.tcp_nodelay(true).h1_write_buffer_size(TUNED_WRITE_BUFFER_BYTES)
    } else {
        server
    };
    let running = server.listen(listener.into_std()?)?.run();
    announce(address)?;
    Ok(running.await?)
}

async fn root(request: HttpRequest) -> HttpResponse {
    match refuse_any_query("/", request.query_string()) {
        Ok(()) => HttpResponse::Ok().content_type("application/json").body(FRAMEWORK.to_json()),
        Err(error) => refuse(error),
    }
}

async fn echo(request: HttpRequest, body: Payload) -> Answer {
    if let Err(error) = refuse_any_query("/echo", request.query_string()) {
        return Ok(refuse(error));
    }
    let (response, session, messages) = actix_ws::handle(&request, body)?;
    spawn(session::echo(session, messages));
    Ok(response)
}

async fn ticks(request: HttpRequest, body: Payload) -> Answer {
    let ticks = match TickRequest::parse(request.query_string()) {
        Ok(ticks) => ticks,
        Err(refusal) => return Ok(refuse(refusal)),
    };
    let (response, session, messages) = actix_ws::handle(&request, body)?;
    spawn(session::ticks(session, messages, ticks));
    Ok(response)
}

async fn relay(request: HttpRequest, body: Payload, hub: Data<Hub<Published>>) -> Answer {
    let role = match parse_relay_role(request.query_string()) {
        Ok(role) => role,
        Err(error) => return Ok(refuse(error)),
    };
    let (response, session, messages) = actix_ws::handle(&request, body)?;
    spawn(session::relay(session, messages, role, Arc::clone(&hub)));
    Ok(response)
}

async fn unknown(request: HttpRequest) -> HttpResponse {
    refuse(Refusal::unknown_path(request.path()))
}

fn refuse(refusal: impl Into<Refusal>) -> HttpResponse {
    let Refusal { status, sentence } = refusal.into();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(sentence)
}
