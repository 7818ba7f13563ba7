//! The policy `lww`: the wall clock of the coordinator decides. Nobody is asked first, so it is fast; and a
//! coordinator whose clock is behind acknowledges writes that no read will ever return.

use std::sync::Arc;

use bytes::Bytes;

use super::{Coordinator, Failure, Target};
use crate::version::{Context, Record, Stamp};

impl Coordinator {
    pub(super) async fn write_lww(
        self: &Arc<Self>,
        target: &Target,
        value: Option<Bytes>,
        w: usize,
    ) -> Result<Context, Failure> {
        let (node, nonce) = (self.me().clone(), self.nonces.next());
        let stamp = Stamp { wall_micros: self.clock.micros(), node, nonce };
        self.replicate(target, Record::Lww { stamp, value }, None, w).await?;
        Ok(Context::default())
    }
}
