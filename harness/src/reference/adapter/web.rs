//! HTTP and HTTPS listeners: hyper and rustls around `Http`.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::rc::Rc;
use std::time::Duration;

use bootstorm_emulator::limits::{HEADER_BYTES_MAX, HEADERS_MAX};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{Bind, World, raw};
use crate::reference::counters::Counter;
use crate::reference::http::{self, Reply};

/// A connection without a complete head for this long is closed, kept-alive ones included.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A TLS handshake that takes longer is ended.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// No connection lives longer, whatever its client does or leaves undone.
const CONNECTION_LIFE: Duration = Duration::from_secs(600);
/// Wait after an accept that failed, for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the two listeners share.
struct Web {
    world: Rc<World>,
    open: Cell<usize>,
    connections_max: usize,
}

/// Counts a connection as open for as long as it lives.
struct Open(Rc<Web>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

/// Starts the listeners' tasks.
pub(super) fn begin(
    world: &Rc<World>,
    http: Option<std::net::TcpListener>,
    https: Option<std::net::TcpListener>,
    bind: &Bind,
) -> io::Result<()> {
    let web = Rc::new(Web {
        world: Rc::clone(world),
        open: Cell::new(0),
        connections_max: bind.connections_max,
    });
    if let Some(listener) = http {
        let listener = TcpListener::from_std(listener)?;
        tokio::task::spawn_local(Rc::clone(&web).accept(listener, None));
    }
    if let (Some(listener), Some((_, tls))) = (https, &bind.https) {
        let listener = TcpListener::from_std(listener)?;
        let acceptor = TlsAcceptor::from(tls.config());
        tokio::task::spawn_local(web.accept(listener, Some(acceptor)));
    }
    Ok(())
}

impl Web {
    async fn accept(self: Rc<Self>, listener: TcpListener, tls: Option<TlsAcceptor>) {
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok((stream, SocketAddr::V4(peer))) => (stream, peer),
                Ok(_) => continue,
                Err(_) => {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let counters = &self.world.counters;
            if !self.world.reach.has(*peer.ip()) {
                counters.count(Counter::OutOfReach);
                continue;
            }
            if self.open.get() >= self.connections_max {
                counters.count(Counter::HttpConnectionDropped);
                continue;
            }
            counters.count(Counter::HttpConnection);
            self.open.set(self.open.get() + 1);
            let open = Open(Rc::clone(&self));
            tokio::task::spawn_local(open.connection(stream, peer, tls.clone()));
        }
    }
}

impl Open {
    async fn connection(self, stream: TcpStream, peer: SocketAddrV4, tls: Option<TlsAcceptor>) {
        // Small answers must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let Some(acceptor) = tls else {
            return self.serve(stream, peer, false).await;
        };
        let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
        match handshake.await {
            Ok(Ok(stream)) => self.serve(stream, peer, true).await,
            Ok(Err(fault)) => self.refused(&fault),
            Err(_) => self.0.world.counters.count(Counter::HttpsHandshakeFailed),
        }
    }

    /// Counts a handshake that failed.
    fn refused(&self, fault: &io::Error) {
        let counters = &self.0.world.counters;
        counters.count(Counter::HttpsHandshakeFailed);
        match fault.get_ref().and_then(|fault| fault.downcast_ref()) {
            Some(rustls::Error::NoCertificatesPresented) => {
                counters.count(Counter::HttpsNoClientCertificate);
            }
            Some(rustls::Error::InvalidCertificate(_)) => {
                counters.count(Counter::HttpsClientCertificateRefused);
            }
            _ => {}
        }
    }

    async fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: SocketAddrV4,
        tls: bool,
    ) {
        let world = &self.0.world;
        if world.reference.borrow().edits_http() {
            // What mutants make of a message hyper would put right.
            let served = raw::serve(world, stream, peer, tls);
            let _ = tokio::time::timeout(CONNECTION_LIFE, served).await;
            return;
        }
        let service = service_fn(|request| async move {
            Ok::<_, Infallible>(response(world, peer, request).await)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEADER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let served = tokio::time::timeout(CONNECTION_LIFE, connection).await;
        if matches!(served, Ok(Err(fault)) if fault.is_parse()) {
            world.counters.count(Counter::HttpMalformed);
        }
    }
}

async fn response(
    world: &World,
    peer: SocketAddrV4,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let target = head.uri.to_string();
    let headers: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let mut asked = http::Request {
        method: head.method.as_str(),
        target: &target,
        headers: &headers,
        body: &[],
    };
    let most = world.reference.borrow_mut().site().body_bytes_max(&asked);
    let taken = match most {
        None => Bytes::new(),
        Some(most) => {
            let taken = tokio::time::timeout(HEAD_TIMEOUT, Limited::new(body, most).collect());
            match taken.await {
                Ok(Ok(taken)) => taken.to_bytes(),
                Ok(Err(_)) => return outgoing(Reply::plain(413).with("connection", "close")),
                Err(_) => return outgoing(Reply::plain(408).with("connection", "close")),
            }
        }
    };
    asked.body = &taken;
    let now = world.now();
    let reply = world.reference.borrow_mut().request(now, peer, &asked);
    if !reply.after.is_zero() {
        tokio::time::sleep(reply.after).await;
    }
    outgoing(reply)
}

/// hyper adds Content-Length and Date, and leaves the body out for HEAD.
fn outgoing(reply: Reply) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        builder = builder.header(name, value);
    }
    let body = Full::new(Bytes::from_owner(reply.body));
    // A redirect rule whose target is no header value.
    builder.body(body).unwrap_or_else(|_| {
        let mut failed = Response::new(Full::default());
        *failed.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        failed
    })
}
