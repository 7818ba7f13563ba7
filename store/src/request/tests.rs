//! Requests played call by call.
