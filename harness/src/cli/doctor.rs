//! `schism doctor`: what this machine allows, and how to mend what it does not.

use super::{Failure, HARNESS_FAILED, say};
use crate::doctor::{Outcome, probe};

/// Prints every probe; 0 when runs work here, 255 when they do not.
pub(crate) fn doctor() -> Result<u8, Failure> {
    let mut well = true;
    for probe in probe() {
        match probe.outcome {
            Outcome::Ok(what) => say(&format!("ok      {:<24} {what}", probe.name))?,
            Outcome::Failed { why, remedy } => {
                well = false;
                say(&format!("failed  {:<24} {why}", probe.name))?;
                say(&format!("        {:<24} remedy: {remedy}", ""))?;
            }
        }
    }
    Ok(if well { 0 } else { HARNESS_FAILED })
}
