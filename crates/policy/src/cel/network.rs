//! Internet addresses and networks.

use std::net::{IpAddr, Ipv4Addr};

use super::fault::{Computed, FaultKind};
use super::library::Function;
use super::value::Value;

/// Calls one of the functions.
pub fn call<'v>(function: Function, arguments: &[Value<'v>]) -> Computed<'v> {
    match (function, arguments) {
        (Function::Ip, [Value::Str(text)]) => address(text.as_str()).map(Value::Ip),
        (Function::Ip, [Value::Cidr(address, _)]) => Ok(Value::Ip(*address)),
        (Function::IsIp, [Value::Str(text)]) => Ok(Value::Bool(address(text.as_str()).is_ok())),
        (Function::IsCanonical, [Value::Str(text)]) => {
            Ok(Value::Bool(address(text.as_str())?.to_string() == text.as_str()))
        }
        (Function::Family, [Value::Ip(address)]) => Ok(Value::Int(if address.is_ipv4() { 4 } else { 6 })),
        (Function::IsUnspecified, [Value::Ip(address)]) => Ok(Value::Bool(address.is_unspecified())),
        (Function::IsLoopback, [Value::Ip(address)]) => Ok(Value::Bool(address.is_loopback())),
        (Function::IsGlobalUnicast, [Value::Ip(address)]) => Ok(Value::Bool(is_global_unicast(*address))),
        (Function::IsLinkLocalMulticast, [Value::Ip(address)]) => Ok(Value::Bool(match address {
            IpAddr::V4(address) => matches!(address.octets(), [224, 0, 0, _]),
            IpAddr::V6(address) => address.segments().first().is_some_and(|first| first & 0xff0f == 0xff02),
        })),
        (Function::IsLinkLocalUnicast, [Value::Ip(address)]) => Ok(Value::Bool(is_link_local(*address))),
        (Function::Cidr, [Value::Str(text)]) => {
            cidr(text.as_str()).map(|(address, length)| Value::Cidr(address, length))
        }
        (Function::IsCidr, [Value::Str(text)]) => Ok(Value::Bool(cidr(text.as_str()).is_ok())),
        (Function::ContainsIp, [Value::Cidr(network, length), other]) => {
            let other = match other {
                Value::Ip(address) => *address,
                Value::Str(text) => address(text.as_str())?,
                _ => return Err(FaultKind::NoOverload),
            };
            Ok(Value::Bool(contains(*network, *length, other)))
        }
        (Function::ContainsCidr, [Value::Cidr(network, length), other]) => {
            let (other, longer) = match other {
                Value::Cidr(address, length) => (*address, *length),
                Value::Str(text) => cidr(text.as_str())?,
                _ => return Err(FaultKind::NoOverload),
            };
            Ok(Value::Bool(longer >= *length && contains(*network, *length, other)))
        }
        (Function::Masked, [Value::Cidr(address, length)]) => {
            Ok(Value::Cidr(masked(*address, *length), *length))
        }
        (Function::PrefixLength, [Value::Cidr(_, length)]) => Ok(Value::Int(i64::from(*length))),
        _ => Err(FaultKind::NoOverload),
    }
}

fn address(text: &str) -> Result<IpAddr, FaultKind> {
    if text.contains('%') {
        return Err(FaultKind::Invalid("IP Address with zone value is not allowed".to_owned()));
    }
    let address = text.parse().map_err(|_| {
        FaultKind::Invalid(format!("IP Address '{text}' parse error during conversion from string"))
    })?;
    // Written with hexadecimal digits it is one: the specification's cases compare it.
    if is_mapped(address) && text.contains('.') {
        return Err(FaultKind::Invalid("IPv4-mapped IPv6 address is not allowed".to_owned()));
    }
    Ok(address)
}

/// Whether it is an IPv6 address that stands for an IPv4 address.
fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some())
}

fn cidr(text: &str) -> Result<(IpAddr, u8), FaultKind> {
    let wrong = || FaultKind::Invalid("network address parse error during conversion from string".to_owned());
    let (network, length) = text.split_once('/').ok_or_else(wrong)?;
    if network.contains('%') {
        return Err(FaultKind::Invalid("CIDR with zone value is not allowed".to_owned()));
    }
    let network: IpAddr = network.parse().map_err(|_| wrong())?;
    if is_mapped(network) {
        return Err(FaultKind::Invalid("IPv4-mapped IPv6 address is not allowed".to_owned()));
    }
    let plain = length == "0" || length.starts_with(|c: char| ('1'..='9').contains(&c));
    let bits = if network.is_ipv4() { 32 } else { 128 };
    let length = length.parse().ok().filter(|length: &u8| plain && *length <= bits).ok_or_else(wrong)?;
    Ok((network, length))
}

fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(length))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(length))).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

fn contains(network: IpAddr, length: u8, address: IpAddr) -> bool {
    network.is_ipv4() == address.is_ipv4() && masked(network, length) == masked(address, length)
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

fn is_global_unicast(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !(broadcast
        || address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || is_link_local(address))
}
