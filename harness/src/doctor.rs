//! What this machine allows, found by trying, and what to do where it refuses.
//!
//! Settings lie: a machine may allow user namespaces and then deny every right inside them, a kernel
//! may have a module and not load it. So each probe does the real thing, in a child process made for
//! it, in namespaces that end with the child; nothing stays behind.
//!
//! ```text
//! child:  namespaces ─→ PID namespace, /proc ─→ bridge ─→ virtual cable ─→ packet filter
//! ```
//!
//! The child says what it found, a line for each probe, and the parent adds the remedies. A probe
//! that the one before it made impossible is reported as such, not left out.

use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;

use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};

use crate::fabric::{FabricError, Filter, try_link_kinds};
use crate::sandbox::{self, Host, SandboxError, Step};
