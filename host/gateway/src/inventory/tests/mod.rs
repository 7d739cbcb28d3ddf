//! The engine against sources and pictures that misbehave, under tokio's
//! paused time.

mod model;
mod pictures;
mod schedule;
mod support;
