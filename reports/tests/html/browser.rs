//! Chromium without a window, driven by its DevTools protocol over a pair of pipes.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything in the browser may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A browser with one page.
pub(crate) struct Browser {
    process: Child,
    pipe: RefCell<Pipe>,
    session: String,
    profile: PathBuf,
}

struct Pipe {
    to: ChildStdin,
    from: Receiver<Value>,
    asked: u64,
    events: Vec<Value>,
}

impl Browser {
    /// Starts it; none where there is no Chromium, which is said.
    pub(crate) fn start(profile: &Path) -> Option<Self> {
        let found = ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .find(|name| {
                let asked = Command::new(name).arg("--version").output();
                asked.is_ok_and(|answer| answer.status.success())
            });
        let Some(program) = found else {
            let _ = writeln!(std::io::stderr(), "not run: needs chromium");
            return None;
        };
        let mut process = spawn(program, profile);
        let to = process.stdin.take().expect("piped");
        let mut lines = BufReader::new(process.stdout.take().expect("piped"));
        let (tell, from) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while lines.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let told = serde_json::from_slice(&message).expect("JSON");
                if tell.send(told).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let pipe = Pipe {
            to,
            from,
            asked: 0,
            events: Vec::new(),
        };
        let mut browser = Self {
            process,
            pipe: RefCell::new(pipe),
            session: String::new(),
            profile: profile.to_owned(),
        };
        let page = browser.ask("Target.createTarget", json!({"url": "about:blank"}));
        let target = json!({"targetId": page["targetId"], "flatten": true});
        let session = browser.ask("Target.attachToTarget", target);
        browser.session = session["sessionId"].as_str().expect("a session").to_owned();
        for domain in [
            "Page.enable",
            "Runtime.enable",
            "Log.enable",
            "Network.enable",
        ] {
            browser.ask(domain, json!({}));
        }
        Some(browser)
    }

    /// Calls a method and waits for its answer.
    pub(crate) fn ask(&self, method: &str, params: Value) -> Value {
        let mut pipe = self.pipe.borrow_mut();
        pipe.asked += 1;
        let number = pipe.asked;
        let mut message = json!({"id": number, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        pipe.to.write_all(&bytes).expect("the browser listens");
        loop {
            let told = pipe.from.recv_timeout(PATIENCE);
            let told = told.unwrap_or_else(|fault| panic!("{method}: {fault}"));
            if told["id"] == number {
                assert!(told["error"].is_null(), "{method}: {}", told["error"]);
                return told["result"].clone();
            }
            pipe.events.push(told);
        }
    }

    /// Opens a file and waits until it is there.
    pub(crate) fn open(&self, file: &Path) {
        let before = self.seen("Page.loadEventFired").len();
        self.ask(
            "Page.navigate",
            json!({"url": format!("file://{}", file.display())}),
        );
        self.until(
            || self.seen("Page.loadEventFired").len() > before,
            "the page is loaded",
        );
    }

    /// What an expression comes to in the page.
    pub(crate) fn value(&self, expression: &str) -> Value {
        let params = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true
        });
        let answer = self.ask("Runtime.evaluate", params);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true in the page.
    pub(crate) fn wait(&self, expression: &str) {
        self.until(|| self.value(expression) == true, expression);
    }

    fn until(&self, is_so: impl Fn() -> bool, what: &str) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < PATIENCE, "never so: {what}");
            self.ask("Runtime.evaluate", json!({"expression": "1"}));
        }
    }

    /// Presses the mouse in the middle of the first element that a selector finds.
    pub(crate) fn click(&self, selector: &str) {
        let place = self.value(&format!(
            "(() => {{ const element = document.querySelector({});\
             element.scrollIntoView({{ block: 'center', behavior: 'instant' }});\
             const box = element.getBoundingClientRect();\
             return [box.left + box.width / 2, box.top + box.height / 2]; }})()",
            json!(selector)
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({
                "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1
            });
            self.ask("Input.dispatchMouseEvent", params);
        }
    }

    /// Makes the window so large, and the page light or dark.
    pub(crate) fn view(&self, width: u32, height: u32, scheme: &str) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600
        });
        self.ask("Emulation.setDeviceMetricsOverride", metrics);
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.ask("Emulation.setEmulatedMedia", json!({"features": [feature]}));
    }

    /// Shows the page as it would be on paper.
    pub(crate) fn paper(&self) {
        self.ask("Emulation.setEmulatedMedia", json!({"media": "print"}));
    }

    /// Keeps a picture of the window, or of the whole page.
    pub(crate) fn picture(&self, file: &Path, whole: bool) {
        let params = json!({"format": "png", "captureBeyondViewport": whole});
        let answer = if whole {
            let size = self.ask("Page.getLayoutMetrics", json!({}));
            let mut params = params;
            params["clip"] = json!({
                "x": 0, "y": 0, "scale": 1,
                "width": size["cssContentSize"]["width"],
                "height": size["cssContentSize"]["height"],
            });
            self.ask("Page.captureScreenshot", params)
        } else {
            self.ask("Page.captureScreenshot", params)
        };
        let data = answer["data"].as_str().expect("a picture");
        fs::write(file, decoded(data)).expect("written");
    }

    /// What the page or the browser complained of.
    pub(crate) fn complaints(&self) -> Vec<Value> {
        let mut all = self.seen("Runtime.consoleAPICalled");
        all.extend(self.seen("Runtime.exceptionThrown"));
        all.extend(self.seen("Log.entryAdded"));
        all
    }

    /// Every address that was asked for.
    pub(crate) fn requests(&self) -> Vec<String> {
        let requests = self.seen("Network.requestWillBeSent");
        let url = |event: &Value| event["request"]["url"].as_str().map(str::to_owned);
        requests.iter().filter_map(url).collect()
    }

    fn seen(&self, event: &str) -> Vec<Value> {
        let pipe = self.pipe.borrow();
        let events = pipe.events.iter().filter(|told| told["method"] == event);
        events.map(|told| told["params"].clone()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

/// Starts the program without a window, its protocol on its standard streams.
fn spawn(program: &str, profile: &Path) -> Child {
    // The protocol speaks on descriptors 3 and 4, which only a shell can name.
    let process = Command::new("sh")
        .args([
            "-c",
            "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1",
            program,
        ])
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .args([
            "--no-first-run",
            "--disable-extensions",
            "--disable-background-networking",
        ])
        .args(["--remote-debugging-pipe", "--hide-scrollbars"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    process.expect("a shell")
}

/// Base64 (RFC 4648 §4).
fn decoded(text: &str) -> Vec<u8> {
    let six = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let letters = text.trim_end_matches('=').as_bytes();
    let mut out = Vec::with_capacity(letters.len() * 3 / 4);
    for four in letters.chunks(4) {
        let bits = four.iter().enumerate();
        let bits = bits.fold(0_u32, |bits, (at, letter)| {
            bits | u32::from(six(*letter)) << (18 - 6 * at)
        });
        out.extend(&bits.to_be_bytes()[1..four.len()]);
    }
    out
}
