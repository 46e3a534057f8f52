//! In which order addresses are tried.

use core::net::IpAddr;

/// Brings the first address of another version of IP than the first to the second place. The rest keeps its order.
pub(super) fn mix_versions(addresses: &mut [IpAddr]) {
    let Some((first, rest)) = addresses.split_first_mut() else {
        return;
    };
    let other = rest
        .iter()
        .position(|address| address.is_ipv4() != first.is_ipv4());
    if let Some(other) = other
        && let Some(before) = rest.get_mut(..=other)
    {
        before.rotate_right(1);
    }
}
