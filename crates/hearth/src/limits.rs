//! The flags of `hearth serve` that change what a listener bounds. `docs/production.md` has the table of all limits.

use clap::Args;
use clap::builder::TypedValueParser as _;
use server::Limits;

const MEBIBYTE: usize = 1 << 20;

/// Numbers of connections, and memory in MiB.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitFlags {
    /// Connections open at once; at the cap, one that is idle ends for a new one
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().connections)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..).map(as_size))]
    connections: usize,
    /// Connections of one address (IPv6: of a /64) (default: three quarters of all)
    #[arg(long, value_name = "NUMBER")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..).map(as_size))]
    connections_per_address: Option<usize>,
    /// MiB that unanswered requests may hold of their bodies, beyond the first 256 KiB of each; one address has half
    #[arg(long, value_name = "MIB", default_value_t = Limits::default().body_bytes / MEBIBYTE)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..).map(as_size))]
    body_memory: usize,
    /// MiB that they may hold decoded, beyond the first 256 KiB of each; one address has half
    #[arg(long, value_name = "MIB", default_value_t = Limits::default().decoded_bytes / MEBIBYTE)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..).map(as_size))]
    decoded_memory: usize,
    /// MiB for the first 256 KiB of bodies, and of what they decode to; one address has half
    #[arg(long, value_name = "MIB", default_value_t = Limits::default().small_bytes / MEBIBYTE)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..).map(as_size))]
    small_memory: usize,
    /// MiB that one message may take when it is decoded
    #[arg(long, value_name = "MIB", default_value_t = Limits::default().message_bytes / MEBIBYTE)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..).map(as_size))]
    message_memory: usize,
}

fn as_size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl From<&LimitFlags> for Limits {
    fn from(flags: &LimitFlags) -> Self {
        let bytes = |mebibytes: usize| mebibytes.saturating_mul(MEBIBYTE);
        Self {
            connections: flags.connections,
            connections_per_address: flags
                .connections_per_address
                .unwrap_or_else(|| (flags.connections / 4 * 3).max(1)),
            small_bytes: bytes(flags.small_memory),
            body_bytes: bytes(flags.body_memory),
            decoded_bytes: bytes(flags.decoded_memory),
            message_bytes: bytes(flags.message_memory),
        }
    }
}
