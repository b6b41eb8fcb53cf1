//! The cloud form, on real servers: the programs that run on Lambda, in the complete flow.

mod chaos;
mod flow;
mod starting;
mod tokens;
