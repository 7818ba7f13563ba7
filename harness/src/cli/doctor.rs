//! `schism doctor`: what this machine allows, and how to mend what it does not.

use super::{Failure, HARNESS_FAILED, say};
use crate::doctor::{Outcome, is_healthy, probe};

/// Prints every probe; 0 when runs work here, 255 when they do not.
pub(crate) fn doctor() -> Result<u8, Failure> {
    let probes = probe();
    for probe in &probes {
        match &probe.outcome {
            Outcome::Ok(what) => say(&format!("ok      {:<24} {what}", probe.name))?,
            Outcome::Failed { why, remedy } => {
                say(&format!("failed  {:<24} {why}", probe.name))?;
                say(&format!("        {:<24} remedy: {remedy}", ""))?;
            }
        }
    }
    Ok(if is_healthy(&probes) { 0 } else { HARNESS_FAILED })
}
