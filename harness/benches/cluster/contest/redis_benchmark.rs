//! `redis-benchmark`: a job for it, and what it says.

use std::fmt;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use tokio::process;

use super::figures::Figures;
use super::server::{UNSTARTED, sworn};

/// Its clients, each with a connection; the default of `redis-benchmark`.
pub(crate) const CLIENTS: u16 = 50;

/// What it is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Job {
    pub(crate) request: Request,
    /// Requests outstanding on each connection.
    pub(crate) pipeline: u8,
}

/// What it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Request {
    Set,
    Get,
}

/// Every job, in the order of the table.
pub(crate) const JOBS: [Job; 4] = [
    Job { request: Request::Set, pipeline: 1 },
    Job { request: Request::Get, pipeline: 1 },
    Job { request: Request::Set, pipeline: 16 },
    Job { request: Request::Get, pipeline: 16 },
];

/// How it names the key with this number.
pub(crate) fn key(number: u64) -> Bytes {
    format!("key:{number:012}").into()
}

impl Job {
    /// Does it so many times, on so many keys.
    pub(crate) async fn run(
        self,
        server: SocketAddr,
        requests: u64,
        keys: u64,
        value_bytes: u16,
    ) -> Result<Figures> {
        let output = process::Command::from(sworn("redis-benchmark"))
            .args(["-h", &server.ip().to_string(), "-p", &server.port().to_string()])
            .args(["-t", &self.request.to_string().to_lowercase(), "--csv"])
            .args(["-n", &requests.to_string(), "-r", &keys.to_string()])
            .args(["-d", &value_bytes.to_string(), "-c", &CLIENTS.to_string()])
            .args(["-P", &self.pipeline.to_string()])
            .kill_on_drop(true)
            .output()
            .await
            .context(UNSTARTED)?;
        let (said, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "redis-benchmark: {}: {said}{errors}", output.status);
        parse(&said).with_context(|| format!("failed to read redis-benchmark: {said}{errors}"))
    }
}

/// The last line of `"test","rps","avg_latency_ms","min…","p50…","p95…","p99…","max…"`.
fn parse(csv: &str) -> Option<Figures> {
    let fields: Vec<&str> =
        csv.trim_end().lines().last()?.split(',').map(|field| field.trim_matches('"')).collect();
    let number = |at: usize| -> Option<f64> { fields.get(at)?.parse().ok() };
    Some(Figures {
        rate: number(1)?,
        p50: number(4)? * 1e3,
        p99: number(6)? * 1e3,
        p999: None,
        server_micros: None,
        client_micros: None,
    })
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Request::Set => "SET",
            Request::Get => "GET",
        })
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, -P {}", self.request, self.pipeline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_percentiles_are_read_in_microseconds() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\
                   \"p95_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"\n\
                   \"SET\",\"74000.50\",\"0.4\",\"0.1\",\"0.375\",\"0.6\",\"1.5\",\"3.0\"\n";
        let figures = parse(csv).unwrap();
        let told = [figures.rate, figures.p50, figures.p99];
        let meant = [74_000.5, 375.0, 1500.0];
        assert!(
            told.iter().zip(meant).all(|(told, meant)| (told - meant).abs() < 1e-6),
            "{told:?}"
        );
        let header = csv.lines().next().unwrap();
        for wrong in ["", "\n", header, "\"SET\",\"1\""] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn keys_are_those_that_it_asks_for() {
        assert_eq!(key(12), "key:000000000012");
    }
}
