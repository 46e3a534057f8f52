//! Those who are not understood, or not believed.

use super::*;

#[test]
fn a_hello_of_dtls_1_3_that_is_not_understood_is_ignored() {
    let (client, server) = of_version(true);
    let mut ends = Ends::new(&client, &server);
    let mut hello = ends.client.out.pop().expect("a hello").data;
    ends.arrives(&hello);
    let seen = ends.server.statistics();
    assert_eq!((seen.half_open, seen.ignored), (1, 0));
    // With suites that there are not.
    let suites = usize::from(hello[62]);
    hello[63..63 + suites].fill(0xee);
    let other = SocketAddr::from(([10, 0, 0, 3], 1));
    ends.server.arrived(ends.now, other, &hello);
    let seen = ends.server.statistics();
    assert_eq!((seen.half_open, seen.ignored), (1, 1));
}
