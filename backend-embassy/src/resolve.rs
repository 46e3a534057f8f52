//! Names to addresses.

use core::net::IpAddr;

use embassy_net::Stack;
use embassy_net::dns::{DnsQueryType, Error};
use futures_util::future::join;

use crate::{NetError, address};

/// Writes addresses of `host` to the front of `addresses`, those of IPv6 first (RFC 6724), and returns how many there are.
///
/// Both versions are asked for at the same time, each only if the stack has an address of its own in it.
pub(crate) async fn resolve(
    stack: Stack<'static>,
    host: &str,
    addresses: &mut [IpAddr],
) -> Result<usize, NetError> {
    let Some(first) = addresses.first_mut() else {
        return Err(NetError::EmptyBuffer);
    };
    if let Ok(address) = host.parse() {
        *first = address;
        return Ok(1);
    }
    let query = async |is_wanted: bool, kind: DnsQueryType| match is_wanted {
        true => stack.dns_query(host, kind).await,
        false => Err(Error::Failed),
    };
    let [ipv4, ipv6] = address::own(stack);
    let (six, four) = join(
        query(ipv6.is_some(), DnsQueryType::Aaaa),
        query(ipv4.is_some(), DnsQueryType::A),
    )
    .await;
    let invalid = [&six, &four]
        .iter()
        .any(|answer| matches!(answer, Err(Error::InvalidName | Error::NameTooLong)));
    if invalid {
        return Err(NetError::InvalidName);
    }
    let found = [six, four].into_iter().flatten().flatten();
    let mut places = addresses.iter_mut();
    let mut count = 0;
    for address in found {
        if let Some(place) = places.next() {
            *place = address.into();
        }
        count += 1;
    }
    match count {
        0 => Err(NetError::NameNotFound),
        count => Ok(count),
    }
}
