//! The bytes of a modelled file, and the changes made to them.

/// What a file holds: bytes, and zeros from there to its length, so that room allocated ahead costs
/// the model nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// *Shape*: at most `length` bytes.
    bytes: Vec<u8>,
    length: u64,
}

/// One change of a file, as it was asked for.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// Bytes written at an offset.
    Write { offset: u64, bytes: Vec<u8> },
    /// The file cut or grown to a length.
    Length(u64),
}

impl Content {
    pub(super) fn of(bytes: Vec<u8>) -> Content {
        Content { length: bytes.len() as u64, bytes }
    }

    pub(super) fn len(&self) -> u64 {
        self.length
    }

    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Write { offset, bytes } => self.write(*offset, bytes),
            Change::Length(length) => self.set_len(*length),
        }
    }

    /// Nothing written grows no file.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let begin = usize::try_from(offset).expect("a modelled file fits the memory");
        let end = begin + bytes.len();
        if end > self.bytes.len() {
            self.bytes.resize(end, 0);
        }
        self.bytes[begin..end].copy_from_slice(bytes);
        self.length = self.length.max(end as u64);
    }

    pub(super) fn set_len(&mut self, length: u64) {
        self.bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        self.length = length;
    }

    /// Fills `buffer` from `offset` on; whether the file goes that far.
    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> bool {
        let end = offset.checked_add(buffer.len() as u64);
        if buffer.is_empty() {
            return true;
        }
        if end.is_none_or(|end| end > self.length) {
            return false;
        }
        let begin = usize::try_from(offset).map_or(self.bytes.len(), |at| at.min(self.bytes.len()));
        let there = &self.bytes[begin..];
        let there = &there[..there.len().min(buffer.len())];
        buffer[..there.len()].copy_from_slice(there);
        buffer[there.len()..].fill(0);
        true
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut all = self.bytes.clone();
        all.resize(usize::try_from(self.length).expect("a modelled file fits the memory"), 0);
        all
    }

    /// *Requires* that the bit lies in the file.
    pub(super) fn flip(&mut self, bit: u64) {
        let at = bit / 8;
        assert!(at < self.length, "bit {bit} lies in a file of {} bytes", self.length);
        let mut byte = [0];
        assert!(self.read(&mut byte, at), "a byte before the end is read");
        self.write(at, &[byte[0] ^ 1 << (bit % 8)]);
    }
}
