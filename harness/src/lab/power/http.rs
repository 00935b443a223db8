//! Power strips, switches and handsets that are switched by an HTTP request.

use std::fs;

use bootstorm_scenarios::lab::{Call, HttpDriver};
use reqwest::Method;
use reqwest::blocking::{Client, Response};
use reqwest::redirect::Policy;

use super::{Job, PowerFault, secret};
use crate::drive::tls::Trust;
use crate::reference::certificate::Authority;

/// Sends the request of an action and looks at the status. It follows no redirect, which could lead
/// outside the lab's networks.
pub(super) fn act(driver: &HttpDriver, job: Job<'_>) -> Result<String, PowerFault> {
    let outlet = job.outlet;
    let call = driver.calls.get(&job.action);
    let call = call.ok_or_else(|| outlet.unable(job.action))?;
    match call.host() {
        "{address}" => drop(outlet.handset()?),
        host => {
            let address = host.parse().map_err(|_| outlet.unable(job.action))?;
            outlet.allowed(address)?;
        }
    }
    let url = outlet.filled(&call.url, None);
    let what = format!("{} {url}", call.method);
    let secret = driver.secret.as_ref();
    let secret = secret.map(|it| secret::read(it, outlet)).transpose()?;
    let failed = |why: String| outlet.refused(what.clone(), why);
    let client = client(driver).map_err(failed)?;
    let answer = sent(&client, driver, call, (&url, secret.as_deref(), job));
    let answer = answer.map_err(|fault| match fault {
        Fault::Silent => PowerFault::Silent {
            switch: outlet.switch.clone(),
            what: call.method.clone(),
            at: url.clone(),
            within: driver.timeout,
        },
        Fault::Other(why) => failed(hidden(&why, secret.as_deref())),
    })?;
    let status = answer.status().as_u16();
    let is_fine = match call.expect.as_slice() {
        [] => (200..300).contains(&status),
        expected => expected.contains(&status),
    };
    match is_fine {
        true => Ok(format!("{} answered {status}", call.method)),
        false => Err(failed(format!("it answered {status}"))),
    }
}

enum Fault {
    Silent,
    Other(String),
}

fn client(driver: &HttpDriver) -> Result<Client, String> {
    let authorities = match &driver.authorities {
        Some(path) => fs::read(path).map_err(|fault| format!("failed to read {path}: {fault}"))?,
        None => Vec::new(),
    };
    let text = |fault: &dyn std::fmt::Display| fault.to_string();
    let factory = Authority::factory().map_err(|fault| text(&fault))?;
    let trust = Trust::new(&authorities, factory).map_err(|fault| text(&fault))?;
    let tls = trust.client(true, None).map_err(|fault| text(&fault))?;
    let client = Client::builder()
        .tls_backend_preconfigured(rustls::ClientConfig::clone(&tls))
        .redirect(Policy::none())
        .no_proxy()
        .timeout(driver.timeout)
        .build();
    client.map_err(|fault| text(&fault))
}

fn sent(
    client: &Client,
    driver: &HttpDriver,
    call: &Call,
    (url, secret, job): (&str, Option<&str>, Job<'_>),
) -> Result<Response, Fault> {
    let method = Method::from_bytes(call.method.as_bytes());
    let method = method.map_err(|fault| Fault::Other(fault.to_string()))?;
    let mut request = client.request(method, url);
    for (name, value) in &call.headers {
        request = request.header(name, job.outlet.filled(value, secret));
    }
    if let Some(user) = &driver.user {
        request = request.basic_auth(user, secret);
    }
    if !call.body.is_empty() {
        request = request.body(job.outlet.filled(&call.body, secret));
    }
    request.send().map_err(|fault| match fault.is_timeout() {
        true => Fault::Silent,
        false => Fault::Other(causes(&fault)),
    })
}

/// A fault with what caused it: reqwest's own words alone say little.
fn causes(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(fault) = cause {
        text = format!("{text}: {fault}");
        cause = fault.source();
    }
    text
}

/// A text without the secret.
pub(super) fn hidden(text: &str, secret: Option<&str>) -> String {
    match secret.filter(|secret| !secret.is_empty()) {
        Some(secret) => text.replace(secret, "…"),
        None => text.to_owned(),
    }
}
