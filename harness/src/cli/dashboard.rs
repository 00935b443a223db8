//! `--live`: the run as a web page, and as figures for Prometheus, while it goes on.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bootstorm_emulator::time::Moment;
use bootstorm_reports::html::live::{Run, Standing, board, page};
use bootstorm_reports::prom::{self, Running, Snapshot};
use bootstorm_reports::timeline::{Stage, Timeline};
use bootstorm_reports::verdict::Verdict;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::LocalSet;
use tokio::time::Instant;

use super::Trouble;
use crate::fleet::progress::{Progress, Reading};

/// How often the counters are looked at.
const LOOK: Duration = Duration::from_millis(256);
/// Width of what is drawn, at first: two looks, so that one that is late does not show.
const WIDTH: Duration = Duration::from_millis(512);
/// Readers at once; a further one waits.
const READERS_MAX: usize = 32;
/// How long a reader may take to ask.
const ASKING_MAX: Duration = Duration::from_secs(10);
/// A page that has asked within this time is waited for at the end …
const WATCHED: Duration = Duration::from_secs(3);
/// … so long, so that it can show how the run ended.
const FAREWELL: Duration = Duration::from_millis(1_500);

/// How a run ended, and where its report is.
type Ending = (Verdict, String);

/// The page of a run. It is there until it is dropped.
#[derive(Debug)]
pub(super) struct Dashboard {
    ending: Option<oneshot::Sender<Ending>>,
    thread: Option<JoinHandle<()>>,
    address: SocketAddr,
}

impl Dashboard {
    /// Serves the page at an address; port 0 takes any free one.
    ///
    /// # Errors
    /// The address cannot be had.
    pub(super) fn start(
        address: SocketAddr,
        run: Run,
        started_at: u64,
        progress: Arc<Progress>,
    ) -> Result<Self, Trouble> {
        let failed = |fault| Trouble::own(format!("failed to serve --live at {address}: {fault}"));
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(failed)?;
        let (ending, ended) = oneshot::channel();
        let work = move || {
            let view = Rc::new(View::new(run, started_at, progress));
            LocalSet::new().block_on(&runtime, serve(listener, view, ended));
        };
        let thread = std::thread::Builder::new().name("dashboard".to_owned());
        let thread = thread.spawn(work).map_err(failed)?;
        Ok(Self {
            ending: Some(ending),
            thread: Some(thread),
            address,
        })
    }

    /// Where it is.
    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Shows how the run ended to those who look, and is gone.
    pub(super) fn end(mut self, verdict: Verdict, place: String) {
        if let Some(ending) = self.ending.take() {
            // A dashboard that died shows nothing any more.
            let _ = ending.send((verdict, place));
        }
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.ending.take();
        if let Some(thread) = self.thread.take() {
            // A dashboard that died leaves nothing to clean up.
            let _ = thread.join();
        }
    }
}

/// What the dashboard's thread knows.
struct View {
    run: Run,
    started_at: u64,
    progress: Arc<Progress>,
    began: Instant,
    standing: RefCell<Standing>,
    before: RefCell<Reading>,
    looks: Cell<u32>,
    asked: RefCell<Option<Instant>>,
    farewell: Notify,
}

impl View {
    fn new(run: Run, started_at: u64, progress: Arc<Progress>) -> Self {
        let mut standing = Standing {
            timeline: Timeline::of_width(WIDTH),
            ..Standing::default()
        };
        standing.timeline.add_phones(run.planned);
        let mut before = Reading::default();
        before.stages[Stage::Off as usize] = run.planned;
        standing.stages = before.stages;
        Self {
            run,
            started_at,
            progress,
            began: Instant::now(),
            standing: RefCell::new(standing),
            before: RefCell::new(before),
            looks: Cell::default(),
            asked: RefCell::default(),
            farewell: Notify::new(),
        }
    }

    /// Notes what has happened since the last look, for the moment at which it was due: one that
    /// is late, and the next, would else look like a pause and a storm.
    fn look(&self) {
        let at = Moment::ZERO + LOOK * self.looks.get();
        self.looks.set(self.looks.get().saturating_add(1));
        let mut now = self.progress.read();
        // Shards count their phones when they begin, one after the other.
        let known = now
            .stages
            .iter()
            .fold(0, |sum: u32, phones| sum.saturating_add(*phones));
        now.stages[Stage::Off as usize] += self.run.planned.saturating_sub(known);
        let before = self.before.replace(now);
        let mut standing = self.standing.borrow_mut();
        for stage in Stage::ALL {
            let phones = |reading: &Reading| i64::from(reading.stages[stage as usize]);
            let by = i32::try_from(phones(&now) - phones(&before)).unwrap_or(0);
            standing.timeline.change_many(at, stage, by);
        }
        let since = |count: fn(&Reading) -> u64| {
            let more = count(&now).saturating_sub(count(&before));
            u32::try_from(more).unwrap_or(u32::MAX)
        };
        let traffic = [
            since(|reading| reading.requests),
            since(|reading| reading.retries),
            since(|reading| reading.errors),
        ];
        standing.timeline.add_traffic(at, traffic);
        standing.elapsed = self.began.elapsed();
        standing.stages = now.stages;
        standing.files = now.files.into();
        (standing.requests, standing.retries) = (now.requests, now.retries);
        standing.errors = now.errors;
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return answer(
                StatusCode::METHOD_NOT_ALLOWED,
                "text/plain",
                "only GET\n".into(),
            );
        }
        let html = "text/html; charset=utf-8";
        match request.uri().path() {
            "/" => {
                let page = page(&self.run, &self.standing.borrow());
                answer(StatusCode::OK, html, page)
            }
            "/board" => {
                self.asked.replace(Some(Instant::now()));
                let standing = self.standing.borrow();
                let piece = board(&self.run, &standing).into_text();
                let mut answer = answer(StatusCode::OK, html, piece);
                if standing.over.is_some() {
                    let over = hyper::header::HeaderValue::from_static("over");
                    answer.headers_mut().insert("x-run", over);
                    self.farewell.notify_one();
                }
                answer
            }
            "/metrics" => match self.metrics() {
                Ok(text) => answer(StatusCode::OK, prom::CONTENT_TYPE, text),
                Err(fault) => {
                    let text = format!("{fault}\n");
                    answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", text)
                }
            },
            _ => answer(
                StatusCode::NOT_FOUND,
                "text/plain",
                "only / and /metrics\n".into(),
            ),
        }
    }

    fn metrics(&self) -> std::io::Result<String> {
        let standing = self.standing.borrow();
        let snapshot = Snapshot {
            version: self.run.version.clone(),
            scenario: self.run.scenario.clone(),
            attachment: self.run.attachment.clone(),
            seed: self.run.seed,
            started_at: self.started_at,
            elapsed: standing.elapsed,
            planned: self.run.planned,
            running: Some(Running {
                stages: standing.stages,
                requests: standing.requests,
                retries: standing.retries,
                errors: standing.errors,
                files: standing.files,
            }),
            verdict: standing
                .over
                .as_ref()
                .map_or("", |(verdict, _)| verdict.class.word()),
            ..Snapshot::default()
        };
        let mut out = Vec::new();
        prom::write_snapshot(&snapshot, &mut out)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    fn is_watched(&self) -> bool {
        self.asked.borrow().is_some_and(|at| at.elapsed() < WATCHED)
    }
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    for (name, value) in [
        (hyper::header::CONTENT_TYPE, kind),
        (hyper::header::CACHE_CONTROL, "no-store"),
        (hyper::header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, hyper::header::HeaderValue::from_static(value));
    }
    answer
}

/// Looks and answers until the run is over and those who look know it.
async fn serve(listener: TcpListener, view: Rc<View>, ended: oneshot::Receiver<Ending>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    tokio::task::spawn_local(accept(listener, Rc::clone(&view)));
    let mut looks = tokio::time::interval(LOOK);
    let mut ended = std::pin::pin!(ended);
    let ending = loop {
        tokio::select! {
            ending = &mut ended => break ending,
            _ = looks.tick() => view.look(),
        }
    };
    // Without an ending the run could not be carried out; there is nothing to show.
    let Ok(ending) = ending else {
        return;
    };
    view.look();
    view.standing.borrow_mut().over = Some(ending);
    if view.is_watched() {
        // One that has gone away is not waited for.
        let _ = tokio::time::timeout(FAREWELL, view.farewell.notified()).await;
        // The answer is on its way.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn accept(listener: tokio::net::TcpListener, view: Rc<View>) {
    let room = Arc::new(Semaphore::new(READERS_MAX));
    loop {
        let Ok(seat) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: the run needs them more.
            tokio::time::sleep(LOOK).await;
            continue;
        };
        let view = Rc::clone(&view);
        tokio::task::spawn_local(async move {
            let service = service_fn(|request| {
                let answer = view.answer(&request);
                async move { Ok::<_, Infallible>(answer) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(ASKING_MAX);
            // A reader that breaks off has what it wanted.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
            drop(seat);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpStream};

    use bootstorm_reports::verdict::Class;

    use super::*;

    fn start(progress: &Arc<Progress>) -> Dashboard {
        let run = Run {
            version: "0.1.0".to_owned(),
            scenario: "storm".to_owned(),
            attachment: "memory".to_owned(),
            seed: 1,
            planned: 3,
            deadline: Duration::from_secs(60),
        };
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Dashboard::start(any, run, 1_700_000_000, Arc::clone(progress)).unwrap()
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// Asks until the answer holds a text.
    fn asks_until(address: SocketAddr, request: &str, wanted: &str) -> String {
        let began = std::time::Instant::now();
        loop {
            let text = ask(address, request);
            if text.contains(wanted) {
                return text;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{text}");
        }
    }

    #[test]
    fn shows_phones_and_figures_while_the_run_goes_on() {
        let progress = Arc::<Progress>::default();
        progress.planned(3);
        progress.change(Stage::Off, Stage::Settled);
        let dashboard = start(&progress);
        let address = dashboard.address;
        assert!(dashboard.url().starts_with("http://127.0.0.1:"));
        let page = asks_until(address, "GET /", "1 of 3 phones settled");
        assert!(page.contains("Content-Security-Policy"), "{page}");
        let settled = "bootstorm_phones_by_stage{stage=\"settled\"} 1\n";
        let metrics = asks_until(address, "GET /metrics", settled);
        assert!(!metrics.contains("registered"), "{metrics}");
        assert!(metrics.contains(prom::CONTENT_TYPE), "{metrics}");
        assert!(ask(address, "GET /../etc/passwd").starts_with("HTTP/1.1 404"));
        assert!(ask(address, "POST /").starts_with("HTTP/1.1 405"));
        drop(dashboard);
        assert!(TcpStream::connect(address).is_err());
    }

    #[test]
    fn a_page_that_looks_learns_how_the_run_ended() {
        let progress = Arc::<Progress>::default();
        let dashboard = start(&progress);
        let address = dashboard.address;
        asks_until(address, "GET /board", "0 of 3 phones");
        let verdict = Verdict {
            class: Class::Met,
            sentence: "3 of 3 phones provisioned in 1 s.".to_owned(),
        };
        let reader = std::thread::spawn(move || asks_until(address, "GET /board", "x-run: over"));
        dashboard.end(verdict, "out/report.html".to_owned());
        let last = reader.join().unwrap();
        assert!(last.contains("3 of 3 phones provisioned"), "{last}");
        assert!(last.contains("out/report.html"), "{last}");
    }

    #[test]
    fn an_address_that_is_taken_is_told_before_the_run() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = taken.local_addr().unwrap();
        let progress = Arc::<Progress>::default();
        let run = start(&progress);
        drop(run);
        let run = Run {
            version: String::new(),
            scenario: String::new(),
            attachment: String::new(),
            seed: 1,
            planned: 1,
            deadline: Duration::ZERO,
        };
        let fault = Dashboard::start(address, run, 0, progress)
            .unwrap_err()
            .to_string();
        assert!(fault.contains(&format!("--live at {address}")), "{fault}");
    }
}
