//! The engine's statistics as metrics.
//!
//! A new number of [`Statistics`] does not compile until it is shown here, or left out by name.

use super::{Labels, Metric, Section, Unit};
use crate::lsm::Statistics;

impl Statistics {
    /// What was done, what is held, and what it costs.
    pub fn metrics(&self) -> Vec<Metric> {
        let mut metrics = self.written();
        metrics.extend(self.kept());
        metrics.extend(self.amplifications());
        metrics
    }

    fn written(&self) -> Vec<Metric> {
        let Statistics {
            writes,
            groups,
            syncs,
            flushes,
            merges,
            moves,
            user_bytes,
            log_bytes,
            flushed_bytes,
            merged_bytes,
            stalls,
            stalled,
            cache_hits,
            cache_misses,
            // Shown by `kept`.
            memtable_bytes: _,
            tables: _,
            table_bytes: _,
            cache_bytes: _,
            damaged_blocks: _,
        } = self;
        vec![
            counter("schism_engine_writes", "Batches written to the log.")
                .reads(*writes)
                .shown(Section::Persistence, "engine_writes"),
            counter(
                "schism_engine_groups",
                "Groups those batches were written in, one system call each: the fewer for the \
                 same writes, the better writers shared.",
            )
            .reads(*groups)
            .shown(Section::Persistence, "engine_groups"),
            counter("schism_engine_syncs", "Times the log was synced to the disk.")
                .reads(*syncs)
                .shown(Section::Persistence, "engine_syncs"),
            counter("schism_engine_flushes", "Full memtables written as tables of level 0.")
                .reads(*flushes)
                .shown(Section::Persistence, "engine_flushes"),
            counter("schism_engine_merges", "Merges of tables into the next level.")
                .reads(*merges)
                .shown(Section::Persistence, "engine_merges"),
            counter(
                "schism_engine_moves",
                "Tables that went down a level without being written again.",
            )
            .reads(*moves)
            .shown(Section::Persistence, "engine_moves"),
            bytes("schism_engine_user", "Bytes of keys and values handed to the engine.")
                .reads(*user_bytes)
                .shown(Section::Persistence, "engine_user_bytes"),
            bytes("schism_engine_log", "Bytes written to the log.")
                .reads(*log_bytes)
                .shown(Section::Persistence, "engine_log_bytes"),
            bytes("schism_engine_flushed", "Bytes of tables written from memtables.")
                .reads(*flushed_bytes)
                .shown(Section::Persistence, "engine_flushed_bytes"),
            bytes("schism_engine_merged", "Bytes of tables written by merges.")
                .reads(*merged_bytes)
                .shown(Section::Persistence, "engine_merged_bytes"),
            counter(
                "schism_engine_stalls",
                "Times writers were slowed or stopped because flushes or merges were behind.",
            )
            .reads(*stalls)
            .shown(Section::Persistence, "engine_stalls"),
            counter("schism_engine_stalled", "How long those stalls lasted, all together.")
                .unit(Unit::Seconds)
                .reads(*stalled)
                .shown_as(Section::Persistence, "engine_stalled_ms", |_| {
                    stalled.as_millis().to_string()
                }),
            counter("schism_engine_cache_hits", "Blocks and guides found in memory.")
                .reads(*cache_hits)
                .shown(Section::Persistence, "engine_cache_hits"),
            counter("schism_engine_cache_misses", "Blocks and guides read from their file.")
                .reads(*cache_misses)
                .shown(Section::Persistence, "engine_cache_misses"),
        ]
    }

    fn kept(&self) -> [Metric; 5] {
        [
            Metric::gauge("schism_engine_memtable", "Bytes of memtables, full ones included.")
                .unit(Unit::Bytes)
                .reads(self.memtable_bytes)
                .shown(Section::Persistence, "engine_memtable_bytes"),
            self.tables
                .iter()
                .zip(levels())
                .fold(
                    Metric::gauge("schism_engine_tables", "Tables, by level."),
                    |metric, (tables, level)| metric.reads_for(level, *tables),
                )
                .shown(Section::Persistence, "engine_tables"),
            self.table_bytes
                .iter()
                .zip(levels())
                .fold(
                    Metric::gauge("schism_engine_table", "Bytes of tables, by level.")
                        .unit(Unit::Bytes),
                    |metric, (bytes, level)| metric.reads_for(level, *bytes),
                )
                .shown(Section::Persistence, "engine_table_bytes"),
            Metric::gauge("schism_engine_cache", "Bytes of blocks and guides held in memory.")
                .unit(Unit::Bytes)
                .reads(self.cache_bytes)
                .shown(Section::Persistence, "engine_cache_bytes"),
            Metric::gauge(
                "schism_engine_damaged_blocks",
                "Blocks whose checksum was wrong, and that were not repaired yet.",
            )
            .reads(self.damaged_blocks)
            .shown(Section::Persistence, "engine_damaged_blocks"),
        ]
    }

    fn amplifications(&self) -> [Metric; 3] {
        [
            Metric::gauge(
                "schism_engine_write_amplification",
                "Bytes written by log, flushes and merges for each byte handed over, since start.",
            )
            .unit(Unit::Ratio)
            .reads(self.write_amplification())
            .shown(Section::Persistence, "engine_write_amplification"),
            Metric::gauge(
                "schism_engine_space_amplification",
                "Bytes of tables for each byte of the deepest level: an estimate, from above, of \
                 what overwritten and deleted values still take.",
            )
            .unit(Unit::Ratio)
            .reads(self.space_amplification())
            .shown(Section::Persistence, "engine_space_amplification"),
            Metric::gauge(
                "schism_engine_read_amplification",
                "Sorted runs a read may have to ask: each table of level 0, each level below it.",
            )
            .unit(Unit::Ratio)
            .reads(self.read_amplification())
            .shown(Section::Persistence, "engine_read_amplification"),
        ]
    }
}

fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric::counter(name, help)
}

fn bytes(name: &'static str, help: &'static str) -> Metric {
    counter(name, help).unit(Unit::Bytes)
}

fn levels() -> impl Iterator<Item = Labels> {
    (0..).map(|level: u32| vec![("level", level.to_string())])
}
