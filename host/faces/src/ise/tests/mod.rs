//! Tables for what is too long to stand beside the code.

mod body;
mod device;
