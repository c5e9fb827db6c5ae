//! Finds out where each request comes from. A proxy that the operator has named is believed what it says in
//! `X-Forwarded-For`; everybody else comes from where the connection comes from, whatever they say.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use access::ClientAddress;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use http::HeaderMap;

use crate::answer::Answer;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// An address or a network of a proxy: `10.0.0.7`, `10.0.0.0/8`, `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedProxy {
    network: u128,
    prefix: u32,
}

/// All addresses in one space: IPv4 as IPv6 maps it.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(128 - prefix).unwrap_or(0)
}

impl FromStr for TrustedProxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an address or a network such as 10.0.0.0/8");
        let (address, length) =
            text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let (bits_max, offset) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let length = length.map_or(Ok(bits_max), str::parse::<u32>).map_err(|_| wrong())?;
        if length > bits_max {
            return Err(wrong());
        }
        let prefix = length + offset;
        Ok(Self { network: bits(address) & mask(prefix), prefix })
    }
}

impl TrustedProxy {
    fn contains(&self, address: IpAddr) -> bool {
        bits(address) & mask(self.prefix) == self.network
    }
}

/// Goes around everything: each request carries the [`ClientAddress`] it comes from in its extensions.
pub fn with_client_address(inner: impl Answer, proxies: Vec<TrustedProxy>) -> impl Answer {
    Addressing { inner, proxies }
}

struct Addressing<A> {
    inner: A,
    proxies: Vec<TrustedProxy>,
}

impl<A: Answer> Answer for Addressing<A> {
    async fn answer(&self, mut request: Request) -> Response {
        if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
            let address = client(peer.ip(), request.headers(), &self.proxies);
            request.extensions_mut().insert(ClientAddress(address.to_canonical()));
        }
        self.inner.answer(request).await
    }
}

/// The nearest address that is no trusted proxy's: each proxy appends whom it was called by, so the list is read from its
/// end. What is no address is the invention of whoever the last trusted proxy was called by.
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[TrustedProxy]) -> IpAddr {
    let is_trusted = |address: IpAddr| proxies.iter().any(|proxy| proxy.contains(address));
    let mut nearest = peer;
    if !is_trusted(nearest) {
        return nearest;
    }
    let forwarded: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for text in forwarded.into_iter().rev() {
        if !is_trusted(nearest) {
            break;
        }
        let Some(address) = address(text.trim()) else { break };
        nearest = address;
    }
    nearest
}

/// An address as proxies write it: bare, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(peer: &str, forwarded: &[&str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        let proxies: Vec<TrustedProxy> = proxies.iter().map(|text| text.parse().unwrap()).collect();
        client(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn only_a_named_proxy_is_believed() {
        for (peer, forwarded, proxies, expected) in [
            ("192.0.2.1", vec!["203.0.113.9"], vec![], "192.0.2.1"),
            ("192.0.2.1", vec!["203.0.113.9"], vec!["10.0.0.0/8"], "192.0.2.1"),
            ("10.1.2.3", vec!["203.0.113.9"], vec!["10.0.0.0/8"], "203.0.113.9"),
            ("10.1.2.3", vec!["1.1.1.1, 203.0.113.9"], vec!["10.0.0.0/8"], "203.0.113.9"),
            ("10.1.2.3", vec!["1.1.1.1", "203.0.113.9, 10.9.9.9"], vec!["10.0.0.0/8"], "203.0.113.9"),
            ("10.1.2.3", vec!["garbage"], vec!["10.1.2.3"], "10.1.2.3"),
            ("10.1.2.3", vec!["203.0.113.9, garbage"], vec!["10.1.2.3"], "10.1.2.3"),
            ("10.1.2.3", vec![], vec!["10.1.2.3"], "10.1.2.3"),
            ("10.1.2.3", vec!["203.0.113.9:4711"], vec!["10.1.2.3"], "203.0.113.9"),
            ("10.1.2.3", vec!["[2001:db8::7]:443"], vec!["10.1.2.3"], "2001:db8::7"),
            ("::ffff:10.1.2.3", vec!["2001:db8::7"], vec!["10.0.0.0/8"], "2001:db8::7"),
            ("fd00::1", vec!["203.0.113.9"], vec!["fd00::/8"], "203.0.113.9"),
        ] {
            assert_eq!(found(peer, &forwarded, &proxies), expected, "{peer} {forwarded:?} {proxies:?}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "proxy.example", "10.0.0.0/33", "::/129", "10.0.0.0/x", "10.0.0.0/-1"] {
            assert!(text.parse::<TrustedProxy>().is_err(), "{text}");
        }
        assert!("0.0.0.0/0".parse::<TrustedProxy>().unwrap().contains("1.2.3.4".parse().unwrap()));
        assert!(!"0.0.0.0/0".parse::<TrustedProxy>().unwrap().contains("2001:db8::1".parse().unwrap()));
    }
}
