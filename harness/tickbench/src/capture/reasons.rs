//! Why a connection was not opened or ended, in words: the library's own name what it calls a thing, and not what to do about it.

use std::io;

use rustls::CertificateError;
use tickbench_record::{foreign, printable};
use tungstenite::Error;
use tungstenite::error::TlsError;
use tungstenite::protocol::CloseFrame;

/// How a server closed a connection.
pub(super) fn of_close(frame: Option<&CloseFrame>) -> String {
    match frame {
        None => "without a close code".into(),
        Some(CloseFrame { code, reason }) if reason.is_empty() => format!("with code {}", u16::from(*code)),
        Some(CloseFrame { code, reason }) => {
            format!("with code {}: {}", u16::from(*code), foreign(reason.as_bytes()))
        }
    }
}

/// An error of the library.
pub(super) fn of_error(cause: &Error) -> String {
    match cause {
        Error::Http(answer) => {
            let body = answer.body().as_deref().unwrap_or_default();
            format!("the server answered {}: {}", answer.status(), foreign(body))
        }
        Error::Tls(TlsError::Rustls(cause)) => of_tls(cause),
        Error::Io(cause) => of_io(cause),
        Error::Url(_) | Error::HttpFormat(_) => {
            format!("{}; an address is ws://HOST:PORT/PATH or wss://…", printable(&cause.to_string()))
        }
        cause => printable(&cause.to_string()),
    }
}

fn of_io(cause: &io::Error) -> String {
    match cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(cause) => of_tls(cause),
        None => format!("{}; does a server listen there?", printable(&cause.to_string())),
    }
}

fn of_tls(cause: &rustls::Error) -> String {
    match cause {
        rustls::Error::InvalidCertificate(cause) => of_certificate(cause),
        rustls::Error::InvalidMessage(_) => {
            format!("the server does not speak TLS there ({cause}): is it ws:// in place of wss://?")
        }
        cause => format!("TLS: {}", printable(&cause.to_string())),
    }
}

fn of_certificate(cause: &CertificateError) -> String {
    use CertificateError as Wrong;
    let told = printable(&cause.to_string());
    match cause {
        Wrong::Expired | Wrong::ExpiredContext { .. } => {
            format!("the server's certificate has expired ({told}): its owner must renew it; check this machine's date, too")
        }
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
            format!("the server's certificate is not valid yet ({told}): check this machine's date")
        }
        Wrong::UnknownIssuer => "the server's certificate is of an issuer that this machine does not know: add the issuer's to those of the \
                                 system, or name a file with it in SSL_CERT_FILE"
            .into(),
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
            format!("the server's certificate is of another name ({told}): use a name that it has")
        }
        Wrong::Revoked => "the server's certificate was revoked: do not trust it".into(),
        _ => format!("the server's certificate cannot be trusted: {told}"),
    }
}
