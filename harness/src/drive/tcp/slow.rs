//! A connection on a link with conditions: what it carries waits here for its time. While the link
//! is busy nothing more is read, so that the server feels how slow it is.

use std::collections::VecDeque;
use std::future::pending;
use std::time::{Duration, Instant};

use bootstorm_emulator::phone::io::ConnectionFault;
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::link::Flow;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::client::TlsStream;

use super::{Call, READ_BYTES, Told, last_word};

/// Nothing more is read while the link is busy for longer.
const BUSY_MAX: Duration = Duration::from_millis(100);
/// Bytes under way at most, whatever the delay: a TCP window.
const WINDOW_BYTES: usize = 1 << 20;

/// A stream whose end can be made a reset.
pub(super) trait Breakable {
    /// Dropping it resets the connection from now on.
    fn will_reset(&self);
}

impl Breakable for TcpStream {
    fn will_reset(&self) {
        // Best effort: without it the peer sees a closing.
        let _ = SockRef::from(self).set_linger(Some(Duration::ZERO));
    }
}

impl Breakable for TlsStream<TcpStream> {
    fn will_reset(&self) {
        self.get_ref().0.will_reset();
    }
}

/// What the phone is told in its time.
enum News {
    Bytes(Vec<u8>),
    Closed,
    Failed(ConnectionFault),
    /// By the link: the server sees it, too.
    Reset,
}

/// Both ways of a connection.
struct Slow {
    flow: Flow,
    began: Instant,
    up: VecDeque<(Moment, Vec<u8>)>,
    down: VecDeque<(Moment, News)>,
    under_way: usize,
    /// The server has said its last.
    over: bool,
    spare: Vec<Vec<u8>>,
}

/// Like `tcp::carry`, on a link with conditions.
pub(super) async fn carry<S: AsyncRead + AsyncWrite + Breakable + Unpin>(
    call: &Call,
    mut stream: S,
    flow: Flow,
    mut writes: mpsc::Receiver<Vec<u8>>,
    tell: impl Fn(Told<'_>),
) {
    tell(Told::Opened);
    let mut slow = Slow::new(flow);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        tokio::select! {
            biased;
            write = writes.recv() => {
                let Some(bytes) = write else {
                    return slow.closed(&mut stream).await;
                };
                slow.write(bytes);
            }
            () = slow.until(slow.next_down()) => match slow.take_down() {
                Some(News::Bytes(bytes)) => {
                    tell(Told::Bytes(&bytes));
                    slow.spare.push(bytes);
                }
                Some(News::Closed) => return tell(Told::Closed),
                Some(News::Failed(fault)) => return tell(Told::Failed(fault)),
                Some(News::Reset) => {
                    stream.will_reset();
                    return tell(Told::Failed(ConnectionFault::Reset));
                }
                None => {}
            },
            () = slow.until(slow.next_up()) => {
                let Some((_, bytes)) = slow.up.pop_front() else { continue };
                let written = async {
                    stream.write_all(&bytes).await?;
                    stream.flush().await
                };
                if let Err(error) = written.await {
                    let fault = last_word(call, &mut stream, &error).await;
                    return tell(Told::Failed(fault));
                }
            }
            read = stream.read(&mut buffer), if slow.may_read() => match read {
                Ok(0) => slow.end(News::Closed),
                Ok(length) => slow.take(buffer.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    slow.end(News::Closed);
                }
                Err(error) => slow.end(News::Failed(call.fault_of(&error))),
            },
        }
    }
}

impl Slow {
    fn new(flow: Flow) -> Self {
        Self {
            flow,
            began: Instant::now(),
            up: VecDeque::new(),
            down: VecDeque::new(),
            under_way: 0,
            over: false,
            spare: Vec::new(),
        }
    }

    fn now(&self) -> Moment {
        Moment::ZERO + self.began.elapsed()
    }

    fn next_down(&self) -> Option<Moment> {
        self.down.front().map(|(at, _)| *at)
    }

    fn next_up(&self) -> Option<Moment> {
        self.up.front().map(|(at, _)| *at)
    }

    fn may_read(&self) -> bool {
        let busy = self.flow.backlog(self.now());
        !self.over && self.under_way < WINDOW_BYTES && busy < BUSY_MAX
    }

    /// Waits; for ever without a time.
    fn until(&self, at: Option<Moment>) -> impl Future<Output = ()> + use<> {
        let at = at.map(|at| self.began + at.since(Moment::ZERO));
        async move {
            match at {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => pending().await,
            }
        }
    }

    /// The phone writes.
    fn write(&mut self, bytes: Vec<u8>) {
        let at = self.flow.up(self.now(), bytes.len());
        self.up.push_back((at, bytes));
    }

    /// The server has written.
    fn take(&mut self, mut rest: &[u8]) {
        let now = self.now();
        while !rest.is_empty() && !self.over {
            let passage = self.flow.down(now, rest.len());
            let (piece, later) = rest.split_at(passage.bytes);
            rest = later;
            if !piece.is_empty() {
                let mut copy = self.spare.pop().unwrap_or_default();
                copy.clear();
                copy.extend_from_slice(piece);
                self.under_way += copy.len();
                self.down.push_back((passage.at, News::Bytes(copy)));
            }
            if passage.reset {
                self.down.push_back((passage.at, News::Reset));
                self.over = true;
            }
        }
    }

    fn take_down(&mut self) -> Option<News> {
        let (_, news) = self.down.pop_front()?;
        if let News::Bytes(bytes) = &news {
            self.under_way -= bytes.len();
        }
        Some(news)
    }

    /// The server's last word.
    fn end(&mut self, news: News) {
        let at = self.flow.closing(self.now());
        self.down.push_back((at, news));
        self.over = true;
    }

    /// The phone closed it: what it wrote before still arrives.
    async fn closed<S: AsyncWrite + Unpin>(mut self, stream: &mut S) {
        while let Some((at, bytes)) = self.up.pop_front() {
            self.until(Some(at)).await;
            if stream.write_all(&bytes).await.is_err() {
                return;
            }
        }
        self.until(Some(self.now() + self.flow.delay())).await;
        // A peer that does not say goodbye is not waited for.
        let _ = stream.shutdown().await;
    }
}
