//! What a node keeps on disk, as a fault that takes it away must know it: measured, erased, and
//! looked at again.
//!
//! A disk lost for good is told apart from a harmless restart by what was on it: no file removed, no
//! disk lost. Sizes are those a reader would see, not blocks: what counts is that there was something.

use std::fs;
use std::io;
use std::path::Path;

/// What was removed from a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Files, in whatever directory.
    pub files: u64,
    /// The bytes in them.
    pub bytes: u64,
}

/// Removes everything below `directory`, which stays behind empty. *Requires* that nobody writes
/// there any more. *Returns* what there was; nothing, where there is no such directory.
pub fn erase(directory: &Path) -> io::Result<Erased> {
    let erased = measure(directory)?;
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(directory)?,
    }
    Ok(erased)
}

/// What lies below `directory`. Links are not followed.
fn measure(directory: &Path) -> io::Result<Erased> {
    let mut sum = Erased::default();
    let mut rest = vec![directory.to_owned()];
    while let Some(directory) = rest.pop() {
        for entry in entries(&directory)? {
            let entry = entry?;
            let about = entry.metadata()?;
            if about.is_dir() {
                rest.push(entry.path());
            } else {
                sum.files += 1;
                sum.bytes += about.len();
            }
        }
    }
    Ok(sum)
}

/// How many files and directories lie in `directory` itself: of an empty disk, none.
pub fn count_entries(directory: &Path) -> io::Result<usize> {
    Ok(entries(directory)?.count())
}

/// The entries of `directory`; of one that is not there, none.
fn entries(directory: &Path) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>>> {
    match fs::read_dir(directory) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_erased_was_counted_and_nothing_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let disk = scratch.path().join("data");
        fs::create_dir_all(disk.join("tables/level 0")).unwrap();
        fs::write(disk.join("log"), "12345").unwrap();
        fs::write(disk.join("tables/level 0/1"), "123").unwrap();
        assert_eq!(count_entries(&disk).unwrap(), 2);
        assert_eq!(erase(&disk).unwrap(), Erased { files: 2, bytes: 8 });
        assert!(disk.is_dir());
        assert_eq!(count_entries(&disk).unwrap(), 0);
    }

    #[test]
    fn a_link_is_erased_but_not_what_it_leads_to() {
        let scratch = tempfile::tempdir().unwrap();
        let (disk, beside) = (scratch.path().join("data"), scratch.path().join("beside"));
        fs::create_dir_all(&disk).unwrap();
        fs::create_dir_all(&beside).unwrap();
        fs::write(beside.join("file"), "stays").unwrap();
        std::os::unix::fs::symlink(&beside, disk.join("link")).unwrap();
        assert_eq!(erase(&disk).unwrap().files, 1);
        assert!(beside.join("file").exists());
    }

    #[test]
    fn a_disk_that_was_never_written_holds_nothing_to_erase() {
        let scratch = tempfile::tempdir().unwrap();
        let disk = scratch.path().join("data");
        assert_eq!(count_entries(&disk).unwrap(), 0);
        assert_eq!(erase(&disk).unwrap(), Erased::default());
    }
}
