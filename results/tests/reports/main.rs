//! Reports as their readers meet them: every word, every file, from recorded and from made-up runs.

#[cfg(test)]
mod sample;
#[cfg(test)]
mod texts;
#[cfg(test)]
mod whole_runs;
