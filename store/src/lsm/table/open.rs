//! How a table is opened: from its last bytes to its first, each part found through the one before.
//!
//! The footer says how long top index and properties are, and all three end the file; what is left is
//! partitions, which the top index must fill without a gap. After this no length in memory points
//! outside the file.
//!
//! Where these ends are damaged, nothing leads to the entries any more. The table then stands on the
//! word of the manifest: its keys are known, every read among them fails, and all of it is in
//! quarantine. A tree opens with such a table, as its other tables and its log are fine; it does not
//! open where a table is missing or another's file has its name, for that is no damage but a mistake,
//! and what a start would remove then may be what was meant.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::format::{FOOTER_BYTES, Footer, MAGIC, Place, Properties};
use super::index::Index;
use super::{KeyRange, Shared, Table, TableFacts, Wrong, open_block, read};
use crate::engine::EngineError;
use crate::lsm::vfs::{Vfs, VfsFile};

impl Table {
    /// Opens the table `number` at `path`: its ends, its top index and its properties are read and
    /// checked, its partitions only when they are asked.
    pub(crate) fn open(
        vfs: &dyn Vfs,
        path: PathBuf,
        number: u64,
        shared: Arc<Shared>,
    ) -> Result<Table, EngineError> {
        let (bytes, file) = open_file(vfs, &path)?;
        let (top, facts) = Ends { file: &*file, path: &path, number, bytes }.read()?;
        Ok(Table { file, path, facts, top: Ok(top), shared })
    }

    /// Opens the table at `path` that the manifest knows by `facts`, also where its ends are damaged:
    /// then it is in quarantine with all its keys.
    pub(crate) fn open_named(
        vfs: &dyn Vfs,
        path: PathBuf,
        facts: &TableFacts,
        shared: Arc<Shared>,
    ) -> Result<Table, EngineError> {
        let (bytes, file) = open_file(vfs, &path)?;
        let ends = Ends { file: &*file, path: &path, number: facts.number, bytes };
        let top = match ends.read() {
            Ok((top, own)) if own == *facts => Ok(top),
            Ok(_) => return Err(ends.damaged(0, "this is not the table the manifest names")),
            Err(error @ EngineError::Damaged { .. }) if !ends.are_anothers() => Err(error),
            Err(error) => return Err(error),
        };
        let table = Table { file, path, facts: facts.clone(), top, shared };
        if let Some(EngineError::Damaged { offset, .. }) = table.damage() {
            table.report(*offset, KeyRange { after: None, to: &table.facts.largest });
        }
        Ok(table)
    }
}

/// The file of a table, and its length.
fn open_file(vfs: &dyn Vfs, path: &Path) -> Result<(u64, Arc<dyn VfsFile>), EngineError> {
    let opened = vfs.open(path).and_then(|file| Ok((file.len()?, file)));
    opened.map_err(|error| match error.kind() {
        ErrorKind::NotFound => EngineError::damaged(path, 0, "the table is missing"),
        _ => EngineError::io("open", path)(error),
    })
}

/// A file that may be a table.
struct Ends<'a> {
    file: &'a dyn VfsFile,
    path: &'a Path,
    number: u64,
    bytes: u64,
}

impl Ends<'_> {
    /// The payload of the top index, and what the table says of itself.
    fn read(&self) -> Result<(Bytes, TableFacts), EngineError> {
        self.check_magic()?;
        let (top, properties) = self.places()?;
        let payload = self.block(top)?;
        let index = Index::new(&payload);
        if !index.is_some_and(|index| index.is_sound(MAGIC.len() as u64, top.offset, true)) {
            return Err(self.damaged(top.offset, "the table's index is wrong"));
        }
        let known = self.block(properties)?;
        let known = Properties::decode(&known);
        let known =
            known.ok_or_else(|| self.damaged(properties.offset, "the properties are wrong"))?;
        Ok((payload, self.facts(known)))
    }

    fn facts(&self, properties: Properties) -> TableFacts {
        TableFacts {
            number: self.number,
            bytes: self.bytes,
            entries: properties.entries,
            tombstones: properties.tombstones,
            smallest: Bytes::from(properties.smallest),
            largest: Bytes::from(properties.largest),
        }
    }

    /// Whether these are the ends of another table, or of one of another version, and whole as such.
    fn are_anothers(&self) -> bool {
        let Some(offset) = self.bytes.checked_sub(FOOTER_BYTES as u64) else { return false };
        let Ok(bytes) = self.read_at(offset, FOOTER_BYTES) else { return false };
        if let Some(footer) = Footer::decode(&bytes, offset) {
            return footer.number != self.number;
        }
        let (name, last) = (&MAGIC[..MAGIC.len() - 1], &bytes[FOOTER_BYTES - MAGIC.len()..]);
        let begins_alike = self.read_at(0, MAGIC.len()).is_ok_and(|first| first == last);
        begins_alike && last.starts_with(name) && last != MAGIC
    }

    fn check_magic(&self) -> Result<(), EngineError> {
        if self.bytes < (MAGIC.len() + FOOTER_BYTES) as u64 {
            return Err(self.damaged(0, "the table is too short"));
        }
        if self.read_at(0, MAGIC.len())? != MAGIC {
            return Err(self.damaged(0, "this is no table of this version"));
        }
        Ok(())
    }

    /// Where top index and properties are, as the footer has it.
    fn places(&self) -> Result<(Place, Place), EngineError> {
        let offset = self.bytes - FOOTER_BYTES as u64;
        let footer = Footer::decode(&self.read_at(offset, FOOTER_BYTES)?, offset);
        let footer = footer.ok_or_else(|| self.damaged(offset, "the table's footer is wrong"))?;
        if footer.number != self.number {
            let message = format!("this is table {}, not {}", footer.number, self.number);
            return Err(self.damaged(offset, &message));
        }
        let room = offset - MAGIC.len() as u64;
        let (top, properties) = (footer.top_bytes, footer.properties_bytes);
        if u64::from(top) + u64::from(properties) > room {
            return Err(self.damaged(offset, "the table's footer is wrong"));
        }
        let properties = Place { offset: offset - u64::from(properties), length: properties };
        Ok((Place { offset: properties.offset - u64::from(top), length: top }, properties))
    }

    fn block(&self, place: Place) -> Result<Bytes, EngineError> {
        let bytes = Bytes::from(self.read_at(place.offset, place.length as usize)?);
        open_block(&bytes, self.number, place.offset)
            .map_err(|wrong| wrong.at(self.path, place.offset))
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, EngineError> {
        read(self.file, offset, length).map_err(|wrong: Wrong| wrong.at(self.path, offset))
    }

    fn damaged(&self, offset: u64, message: &str) -> EngineError {
        EngineError::damaged(self.path, offset, message)
    }
}
