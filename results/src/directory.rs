//! Where a run leaves everything it left: one directory, its files known by name.
//!
//! ```text
//! runs/<suite>/<utc>-<seed>/          20261122T130501Z-7
//!   plan.yaml                         every choice, made before any process started
//!   history.jsonl                     clients and nemesis, appended as it happens
//!   nodes/<id>/                       log, data, exit status
//!   findings.json                     one finding a checker
//!   summary.json  report.html  report.md  junit.xml  latency.hlog
//! runs/<suite>/latest                 symbolic link to the newest
//! ```
//!
//! The name holds what tells two runs apart, and sorts by time. Whatever is rendered is written
//! beside its place and renamed into it, so that a reader, or a second `schism report`, never sees
//! half a file. It is not forced to disk: after a power cut one renders again from the history.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// So many runs of one seed may begin within a second.
const CLAIMS_MAX: usize = 100;

/// The directory of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDirectory {
    path: PathBuf,
}

/// What the file system refused. Reads after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Two runs would share one directory.
    #[error("create {}: it exists already, and a run never writes over another", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// There is no such run.
    #[error("open {}: there is no such directory", path.display())]
    Missing {
        /// What was asked for.
        path: PathBuf,
    },
    /// Anything else.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// `create`, `write`, `link`, …
        action: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl RunDirectory {
    /// Makes `<root>/<suite>/<utc>-<seed>/`, and lets `latest` point at it.
    pub fn create(
        root: &Path,
        suite: &str,
        started: Timestamp,
        seed: u64,
    ) -> Result<RunDirectory, DirectoryError> {
        let of_suite = root.join(file_name(suite));
        fs::create_dir_all(&of_suite).map_err(|source| refused("create", &of_suite, source))?;
        let name = format!("{}-{seed}", started.strftime("%Y%m%dT%H%M%SZ"));
        let name = claim(&of_suite, &name)?;
        point_latest_at(&of_suite, &name)?;
        Ok(RunDirectory { path: of_suite.join(name) })
    }

    /// The directory of a run that was.
    pub fn open(path: &Path) -> Result<RunDirectory, DirectoryError> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Ok(RunDirectory { path: path.to_owned() }),
            Ok(_) => Err(refused("open", path, io::ErrorKind::NotADirectory.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(DirectoryError::Missing { path: path.to_owned() })
            }
            Err(source) => Err(refused("open", path, source)),
        }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every choice of the run.
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.yaml")
    }

    /// Every event of the run.
    pub fn history(&self) -> PathBuf {
        self.path.join("history.jsonl")
    }

    /// What node `id` leaves behind. Not created here.
    pub fn node(&self, id: &str) -> PathBuf {
        self.path.join("nodes").join(file_name(id))
    }

    /// What the checkers found.
    pub fn findings(&self) -> PathBuf {
        self.path.join("findings.json")
    }

    /// The run in numbers.
    pub fn summary(&self) -> PathBuf {
        self.path.join("summary.json")
    }

    /// The report for a browser.
    pub fn report_html(&self) -> PathBuf {
        self.path.join("report.html")
    }

    /// The report for a job's summary page.
    pub fn report_md(&self) -> PathBuf {
        self.path.join("report.md")
    }

    /// The report for a CI server.
    pub fn junit(&self) -> PathBuf {
        self.path.join("junit.xml")
    }

    /// The latencies, for the tools of HdrHistogram.
    pub fn latency_log(&self) -> PathBuf {
        self.path.join("latency.hlog")
    }
}

/// Reads the whole of `path`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, DirectoryError> {
    fs::read(path).map_err(|source| refused("read", path, source))
}

/// Puts `contents` at `path`, whole or not at all.
pub fn write_atomically(path: &Path, contents: &[u8]) -> Result<(), DirectoryError> {
    let beside = beside(path);
    let written = fs::write(&beside, contents).and_then(|()| fs::rename(&beside, path));
    written.map_err(|source| {
        // Best effort: the error that matters is the one already in hand.
        let _ = fs::remove_file(&beside);
        refused("write", path, source)
    })
}

/// Makes a directory that was not there: `name`, or in the same second `name-2`, `name-3`, ….
fn claim(of_suite: &Path, name: &str) -> Result<String, DirectoryError> {
    for attempt in 1..=CLAIMS_MAX {
        let name = if attempt == 1 { name.to_owned() } else { format!("{name}-{attempt}") };
        let path = of_suite.join(&name);
        match fs::create_dir(&path) {
            Ok(()) => return Ok(name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(refused("create", &path, source)),
        }
    }
    Err(DirectoryError::Exists { path: of_suite.join(name) })
}

/// Lets `<of_suite>/latest` name the run `name`, without a moment in which it names nothing.
fn point_latest_at(of_suite: &Path, name: &str) -> Result<(), DirectoryError> {
    let latest = of_suite.join("latest");
    let beside = beside(&latest);
    let linked = match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => std::os::unix::fs::symlink(name, &beside).and_then(|()| fs::rename(&beside, &latest)),
    };
    linked.map_err(|source| refused("link", &latest, source))
}

/// A name of its own for each process, so that two rendering at once do not share a draft.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().map_or_else(Default::default, |name| name.to_string_lossy());
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

fn refused(action: &'static str, path: &Path, source: io::Error) -> DirectoryError {
    DirectoryError::Io { action, path: path.to_owned(), source }
}

/// `text` as one component of a path: names of suites and nodes come from files people write.
fn file_name(text: &str) -> String {
    let safe: String = text
        .chars()
        .map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .collect();
    match safe.trim_start_matches('.') {
        "" => "unnamed".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2026-11-22T13:05:01Z".parse().unwrap()
    }

    #[test]
    fn a_run_is_named_by_time_and_seed_and_latest_follows() {
        let root = tempfile::tempdir().unwrap();
        let first = RunDirectory::create(root.path(), "smoke", at(), 7).unwrap();
        assert!(first.path().ends_with("smoke/20261122T130501Z-7"));
        let second = RunDirectory::create(root.path(), "smoke", at(), 8).unwrap();
        let latest = root.path().join("smoke/latest");
        assert_eq!(fs::canonicalize(latest).unwrap(), fs::canonicalize(second.path()).unwrap());
        assert_eq!(RunDirectory::open(first.path()).unwrap(), first);
        let left: Vec<_> = fs::read_dir(root.path().join("smoke")).unwrap().collect();
        assert_eq!(left.len(), 3, "two runs and a link, no drafts: {left:?}");
    }

    #[test]
    fn a_run_never_writes_over_another() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(root.path(), "smoke", at(), 7).unwrap();
        let again = RunDirectory::create(root.path(), "smoke", at(), 7).unwrap();
        assert!(run.path().ends_with("smoke/20261122T130501Z-7"));
        assert!(again.path().ends_with("smoke/20261122T130501Z-7-2"));
        for _ in 2..CLAIMS_MAX {
            RunDirectory::create(root.path(), "smoke", at(), 7).unwrap();
        }
        let error = RunDirectory::create(root.path(), "smoke", at(), 7).unwrap_err();
        assert!(matches!(&error, DirectoryError::Exists { path } if path == run.path()));
    }

    #[test]
    fn a_root_that_is_no_directory_is_named() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("runs");
        fs::write(&file, "").unwrap();
        let error = RunDirectory::create(&file, "smoke", at(), 7).unwrap_err().to_string();
        assert!(error.contains(&file.join("smoke").display().to_string()), "{error}");
    }

    #[test]
    fn a_missing_run_and_a_file_are_told_apart() {
        let root = tempfile::tempdir().unwrap();
        let missing = RunDirectory::open(&root.path().join("nowhere")).unwrap_err();
        assert!(matches!(missing, DirectoryError::Missing { .. }), "{missing}");
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let refused = RunDirectory::open(&file).unwrap_err();
        assert!(matches!(refused, DirectoryError::Io { action: "open", .. }), "{refused}");
    }

    #[test]
    fn a_file_is_replaced_whole_and_leaves_no_draft() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("summary.json");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        let nowhere = root.path().join("no/summary.json");
        let error = write_atomically(&nowhere, b"").unwrap_err().to_string();
        assert!(error.starts_with(&format!("write {}", nowhere.display())), "{error}");
    }

    #[test]
    fn a_name_cannot_leave_its_directory() {
        assert_eq!(file_name("../../etc"), "-..-etc");
        assert_eq!(file_name(".."), "unnamed");
        assert_eq!(file_name("stale reads"), "stale-reads");
    }
}
