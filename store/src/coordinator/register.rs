//! The policy `register`: linearizable where R + W > N, with no clock involved.
//!
//! A write asks a read quorum for the highest tag and writes one above it. A read returns the highest
//! it found, but only once W replicas hold it: else a read that saw a write in progress could be
//! followed by one that does not. A write of which too few acknowledged is not taken back; some later
//! read may find it and finish it.
//!
//! Source: Attiya, Bar-Noy and Dolev, JACM 1995; Lynch and Shvartsman, FTCS 1997.

use std::sync::Arc;

use bytes::Bytes;

use super::{Coordinator, Failure, Target};
use crate::version::{Context, Record, Tag};

impl Coordinator {
    pub(super) async fn read_register(
        self: &Arc<Self>,
        target: &Target,
        r: usize,
    ) -> Result<Option<Record>, Failure> {
        let phase = self.read_phase(target, r).await?;
        let joined = phase.quorum.joined().cloned();
        let mut mended = Vec::new();
        if let (Some(record), Some(quorum)) =
            (&joined, phase.quorum.write_back(target.home.settings.w))
        {
            self.stats.write_backs.add();
            mended = quorum.silent();
            self.write_back(target, record, quorum).await.map_err(Failure::Unavailable)?;
        }
        self.repair_later(target, phase, mended);
        Ok(joined)
    }

    pub(super) async fn write_register(
        self: &Arc<Self>,
        target: &Target,
        value: Option<Bytes>,
        r: usize,
        w: usize,
    ) -> Result<Context, Failure> {
        let phase = self.read_phase(target, r).await?;
        let tag = Tag::next(phase.quorum.highest_tag(), self.me().clone(), self.nonces.next());
        // What the read phase found to be behind, this write is about to mend.
        drop(phase);
        self.replicate(target, Record::Register { tag, value }, None, w).await?;
        Ok(Context::default())
    }
}
