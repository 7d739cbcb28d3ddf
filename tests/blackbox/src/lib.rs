//! Black-box tests are in `tests/`: the gateway process with real clients, the
//! baseline policy as a component, and what must hold for the whole workspace.
