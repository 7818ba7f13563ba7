//! The tests of the crate from outside, in one binary.

#[cfg(test)]
mod judging;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod scale;
#[cfg(test)]
mod siblings;
#[cfg(test)]
mod support;
