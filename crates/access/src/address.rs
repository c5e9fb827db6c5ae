//! Where a request comes from: what limits per client are counted by.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use base::{Code, Status};

/// The address of the client behind a request, put into the request's extensions by the server. A proxy's word for it
/// counts only where the operator has named that proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The addresses that one client can have at will are one: an IPv6 network of 64 bits, and an IPv4 address however it is
    /// written.
    #[must_use]
    pub fn network(self) -> Network {
        Network(match self.0.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
        })
    }
}

/// Addresses that belong to one client, as [`ClientAddress::network`] puts them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network(IpAddr);

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The origin of a web page from elsewhere, or the address of another machine, put by `dev` into the extensions of its requests.
/// Neither may act as an administrator; a service that takes tokens in bodies must ask for this itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignOrigin(pub String);

impl ForeignOrigin {
    /// What is answered.
    pub fn refusal(&self) -> Status {
        let origin = &self.0;
        // No origin is an address alone: it begins with a scheme.
        if origin.parse::<IpAddr>().is_ok() {
            return Status::new(
                Code::PermissionDenied,
                format!(
                    "The request comes from another machine ({origin}), which may not act as an administrator or use the \
                     emulators' control routes. `hearth dev --share admins` allows that to everybody who reaches it."
                ),
            );
        }
        Status::new(
            Code::PermissionDenied,
            format!(
                "The Origin header `{origin}` is of a web page from elsewhere, which may not act as an administrator or \
                 use the emulators' control routes. If the page is yours, serve it from localhost or start `hearth dev` \
                 with `--allow-origin {origin}`."
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_client_has_is_one_network() {
        let network = |text: &str| ClientAddress(text.parse().unwrap()).network().to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::9"));
        assert_ne!(network("2001:db8:1:2::9"), network("2001:db8:1:3::9"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
