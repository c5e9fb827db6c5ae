//! `dev` for other machines, such as a phone or a container: only where that is asked for in so many words.
//!
//! What listens for them is the services; tools of the suite keep to this machine unless others may be administrators. What they may
//! do is `server::Share`'s to enforce.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use server::Share;

use crate::cli::{Dev, ShareName, not_loopback};
use crate::services::{Addresses, Part, Row};

/// What other machines may do, of the flags.
///
/// Errors: an address that others reach without the word for it, or the word without such an address.
pub fn share(ask: &Dev) -> Result<Share, String> {
    match (ask.host.is_loopback(), ask.share) {
        (true, None) => Ok(Share::Nobody),
        (false, None) => Err(not_loopback(ask.host)),
        (true, Some(_)) => Err(format!(
            "`--share` is about other machines, which do not reach {}: add `--host 0.0.0.0`, or this machine's address in their network",
            ask.host
        )),
        (false, Some(ShareName::Users)) => Ok(Share::Users),
        (false, Some(ShareName::Admins)) => Ok(Share::Admins),
    }
}

/// The address that a service listens on.
pub fn host_of(ask: &Dev, row: &Row) -> IpAddr {
    match (row.part, ask.share) {
        (Part::Suite, Some(ShareName::Users)) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        _ => ask.host,
    }
}

/// An address as this machine reaches it.
pub fn from_here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// What the screen says of it.
pub fn shared(share: Share, addresses: &Addresses, host: IpAddr) -> Option<String> {
    let may = match share {
        Share::Nobody => return None,
        Share::Users => "can be any user of this project, without a password",
        Share::Admins => "can be any user and the administrator of this project, without a password",
    };
    let host = if host.is_unspecified() { in_network(host).unwrap_or(host) } else { host };
    let others = Row::listening().filter(|(row, _)| share == Share::Admins || row.part == Part::Product);
    let others = others.filter_map(|(row, _)| {
        let address = addresses.get(row.name)?;
        Some(format!("{} http://{}", row.name, SocketAddr::new(host, address.port())))
    });
    Some(format!("everybody who reaches this machine {may}: {}", others.collect::<Vec<_>>().join(", ")))
}

/// This machine's address in the network that it reaches others by. Nothing is sent: connecting a datagram socket only looks
/// for the way.
fn in_network(host: IpAddr) -> Option<IpAddr> {
    // Addresses for documentation, which are nobody's.
    let other: SocketAddr = if host.is_ipv4() { "198.51.100.1:9" } else { "[2001:db8::1]:9" }.parse().ok()?;
    let socket = UdpSocket::bind(SocketAddr::new(host, 0)).ok()?;
    socket.connect(other).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
