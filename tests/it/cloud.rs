//! The cloud form, on real servers: the programs that run on Lambda, in the complete flow.

mod chaos;
mod flow;
mod record;
mod restored;
mod starting;
mod tokens;
