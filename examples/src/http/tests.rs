use alloc::vec;
use alloc::vec::Vec;

use futures_util::FutureExt as _;
use futures_util::future::join;
use tacket::testing::{MemoryError, MemoryPair, MemoryStream};
use tacket::{AsyncResource as _, ReceiveStream as _, SendStream as _};

use super::*;
use crate::drive::{VirtualClock, drive};

type End<'p> = MemoryStream<'p, Vec<u8>>;

const ASKED: &[u8] = b"CONNECT far:1 HTTP/1.1\r\nHost: far:1\r\n\r\n";

/// Runs both ends, over buffers of three bytes.
fn talk<A, B>(
    client: impl AsyncFnOnce(End<'_>) -> A,
    server: impl AsyncFnOnce(End<'_>) -> B,
) -> (A, B) {
    let pair = MemoryPair::new(vec![0; 3], vec![0; 3]);
    let (left, right) = pair.open().unwrap();
    drive(&VirtualClock::default(), join(client(left), server(right)))
}

/// Receives `expected`, and not a byte more.
async fn expect(stream: &mut End<'_>, expected: &[u8]) {
    let mut received = vec![0; expected.len()];
    for place in received.chunks_mut(1) {
        assert_eq!(stream.receive_some(place).await, Ok(1));
    }
    assert_eq!(received, expected);
}

/// What a client makes of `answer` to its wish for a tunnel, and what comes through that.
fn answered(answer: &[u8]) -> Result<Vec<u8>, HttpError<MemoryError>> {
    let client = async |stream: End<'_>| {
        let mut tunnel = connect(stream, "far:1", &mut [0; 64]).await?;
        let (mut all, mut buf) = (Vec::new(), [0; 2]);
        loop {
            match tunnel
                .receive_some(&mut buf)
                .await
                .map_err(HttpError::Stream)?
            {
                0 => return Ok(all),
                count => all.extend_from_slice(&buf[..count]),
            }
        }
    };
    let server = async |mut stream: End<'_>| {
        expect(&mut stream, ASKED).await;
        if stream.send_all(answer).await.is_ok() {
            stream.close().await.unwrap();
        }
    };
    talk(client, server).0
}

/// What a proxy makes of `request`.
fn asked(request: &[u8]) -> Result<Vec<u8>, HttpError<MemoryError>> {
    let client = async |mut stream: End<'_>| {
        if stream.send_all(request).await.is_ok() {
            stream.close().await.unwrap();
        }
    };
    let server = async |stream: End<'_>| {
        let mut buffer = [0; 64];
        let request = ConnectRequest::receive(stream, &mut buffer).await?;
        Ok(request.target().as_bytes().to_vec())
    };
    talk(client, server).1
}

#[test]
fn a_tunnel_begins_right_after_the_head_that_grants_it() {
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 200\r\n\r\n",
        "HTTP/1.1 204 Fine\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Soon\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let answer = [head.as_bytes(), b"\r\n!"].concat();
        assert_eq!(answered(&answer).unwrap(), b"\r\n!", "{head}");
    }
}

#[test]
fn a_proxy_that_refuses_is_told_from_one_that_makes_no_sense() {
    let refused = |status| Err(HttpError::Refused { status });
    assert_eq!(answered(b"HTTP/1.1 407 Who?\r\n\r\n"), refused(407));
    assert_eq!(
        answered(b"HTTP/1.1 302 Over there\r\nLocation: /\r\n\r\n"),
        refused(302)
    );
    for nonsense in [
        "220 mail.example ESMTP\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\nno field\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n",
    ] {
        let answer = answered(nonsense.as_bytes());
        assert!(
            matches!(answer, Err(HttpError::Malformed { .. })),
            "{nonsense}"
        );
    }
}

#[test]
fn every_truncated_answer_is_an_early_end() {
    let answer = b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n";
    for length in 0..answer.len() {
        assert_eq!(answered(&answer[..length]), Err(HttpError::EndedEarly));
    }
    assert_eq!(answered(answer), Ok(Vec::new()));
}

#[test]
fn no_head_is_endless() {
    let mut answer = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
    answer.extend([b'x'; 64]);
    assert_eq!(answered(&answer), Err(HttpError::TooLong));
    let mut answer = b"HTTP/1.1 200 OK\r\n".to_vec();
    answer.extend(b"X: many\r\n".repeat(7500));
    assert_eq!(answered(&answer), Err(HttpError::TooLong));
}

#[test]
fn a_target_that_would_break_the_request_is_not_sent() {
    for target in [
        "",
        "far:1 HTTP/1.1",
        "far:1\r\nX: y",
        "f\u{e4}r:1",
        &"x".repeat(64),
    ] {
        let client = async |stream: End<'_>| connect(stream, target, &mut [0; 64]).await.err();
        let server = async |mut stream: End<'_>| stream.receive_some(&mut [0]).await;
        let (refused, heard) = talk(client, server);
        assert_eq!(refused, Some(HttpError::InvalidRequest));
        assert_eq!(heard, Err(MemoryError::Broken));
    }
}

#[test]
fn a_proxy_hears_where_its_client_wants_to_go() {
    assert_eq!(asked(ASKED).unwrap(), b"far:1");
    assert_eq!(
        asked(b"CONNECT [::1]:1 HTTP/1.1\r\n\r\n").unwrap(),
        b"[::1]:1"
    );
    for other in [
        "GET / HTTP/1.1\r\n\r\n",
        "CONNECT  HTTP/1.1\r\n\r\n",
        "CONNECT a b HTTP/1.1\r\n\r\n",
    ] {
        let request = asked(other.as_bytes());
        assert!(
            matches!(request, Err(HttpError::Malformed { .. })),
            "{other}"
        );
    }
    for length in 0..ASKED.len() {
        assert_eq!(asked(&ASKED[..length]), Err(HttpError::EndedEarly));
    }
}

#[test]
fn both_sides_of_a_tunnel_understand_each_other() {
    let serve = async |stream: End<'_>, grant: bool| {
        let mut buffer = [0; 64];
        let request = ConnectRequest::receive(stream, &mut buffer).await.unwrap();
        match grant {
            true => request
                .accept()
                .await
                .unwrap()
                .send_all(b"!")
                .await
                .unwrap(),
            false => request.refuse().await.unwrap(),
        }
    };
    let ask = async |stream: End<'_>| match connect(stream, "far:1", &mut [0; 64]).await {
        Ok(mut tunnel) => {
            expect(&mut tunnel, b"!").await;
            None
        }
        Err(error) => Some(error),
    };
    let (granted, ()) = talk(ask, async |stream| serve(stream, true).await);
    assert_eq!(granted, None);
    let (refused, ()) = talk(ask, async |stream| serve(stream, false).await);
    assert_eq!(refused, Some(HttpError::Refused { status: 502 }));
}

const WANTED: &[u8] = b"GET /a?b HTTP/1.1\r\nHost: far\r\nUser-Agent: tacket\r\nAccept: */*\r\nConnection: close\r\n\r\n";

type Page = Result<(u16, Vec<u8>), HttpError<MemoryError>>;

/// What a client makes of `answer`, after which the server ends, with or without grace.
fn fetched_from(answer: &[u8], grace: bool) -> Page {
    let client = async |stream: End<'_>| {
        let mut buffer = [0; 128];
        let mut page = get(stream, "far", "/a?b", &mut buffer).await?;
        let mut body = Vec::new();
        loop {
            match page.receive_some(&mut buffer[..5]).await? {
                0 => break,
                count => body.extend_from_slice(&buffer[..count]),
            }
        }
        assert_eq!(page.receive_some(&mut buffer).await, Ok(0));
        let status = page.status();
        page.close().await?;
        Ok((status, body))
    };
    let server = async |mut stream: End<'_>| {
        expect(&mut stream, WANTED).await;
        if stream.send_all(answer).await.is_ok() && grace {
            stream.close().await.unwrap();
        }
    };
    talk(client, server).0
}

fn fetched(answer: &str) -> Page {
    fetched_from(answer.as_bytes(), true)
}

#[test]
fn a_body_ends_where_its_head_says() {
    for (answer, status, body) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more",
            200,
            "hello",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", 200, ""),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
            200,
            "hi",
        ),
        (
            "HTTP/1.1 404 No\r\n\r\nas long as it lasts",
            404,
            "as long as it lasts",
        ),
        ("HTTP/1.0 200 OK\r\n\r\n", 200, ""),
        ("HTTP/1.1 204 None\r\n\r\nnot a body", 204, ""),
        (
            "HTTP/1.1 304 As before\r\nContent-Length: 9\r\n\r\n",
            304,
            "",
        ),
        (
            "HTTP/1.1 103 Soon\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhi",
            200,
            "hi",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n\
             5\r\nhello\r\n00b;x=y\r\n, and more!\r\n0\r\nDigest: none\r\nX:\r\n\r\nnext",
            200,
            "hello, and more!",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0 \t\r\n\r\n",
            200,
            "",
        ),
    ] {
        assert_eq!(fetched(answer), Ok((status, body.into())), "{answer}");
    }
}

#[test]
fn a_body_cut_anywhere_is_an_early_end() {
    for whole in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nX: y\r\n\r\n",
    ] {
        assert_eq!(fetched(whole), Ok((200, b"hello".to_vec())));
        for length in 0..whole.len() {
            assert_eq!(fetched(&whole[..length]), Err(HttpError::EndedEarly));
        }
    }
}

#[test]
fn only_a_body_that_tells_no_length_needs_a_proper_end() {
    let broken = Err(HttpError::Stream(MemoryError::Broken));
    let untold = b"HTTP/1.1 200 OK\r\n\r\nhello";
    assert_eq!(fetched_from(untold, false), broken);
    let short = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello";
    assert_eq!(fetched_from(short, false), broken);
    let told = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(fetched_from(told, false), Ok((200, b"hello".to_vec())));
}

#[test]
fn a_length_that_can_be_read_in_two_ways_is_refused() {
    for fields in [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length:",
        "Content-Length: 18446744073709551616",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
    ] {
        let page = [
            b"HTTP/1.1 200 OK\r\n",
            fields.as_bytes(),
            b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ];
        let page = fetched_from(&page.concat(), true);
        assert_eq!(
            page,
            Err(HttpError::malformed("the length of the body")),
            "{fields}"
        );
    }
}

#[test]
fn chunks_that_make_no_sense_are_refused() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let patience = "x".repeat(64 * 1024 + 1);
    for body in [
        "\r\n",
        "-1\r\n",
        "0x5\r\nhello",
        "5\nhello",
        "5;x\nhello",
        "5\rxhello",
        "5\r\nhello!\r\n",
        "5\r\nhello\r5\r\n",
        "10000000000000000\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\n\rx",
        &["5;", &patience].concat(),
        &["0\r\n", &patience].concat(),
    ] {
        let page = fetched_from(&[head, body.as_bytes()].concat(), true);
        assert_eq!(
            page,
            Err(HttpError::malformed("the chunks of the body")),
            "{body:.20}"
        );
    }
}

#[test]
fn receiving_can_be_dropped_at_every_byte() {
    let pair = MemoryPair::new(vec![0; 200], vec![0; 1]);
    let (left, mut right) = pair.open().unwrap();
    let mut send = |byte: u8| right.send_all(&[byte]).now_or_never().unwrap().unwrap();
    let mut buffer = [0; 128];
    let page = {
        let mut getting = core::pin::pin!(get(left, "far", "/a?b", &mut buffer));
        let mut head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".iter();
        loop {
            match getting.as_mut().now_or_never() {
                Some(page) => break page.unwrap(),
                None => send(*head.next().unwrap()),
            }
        }
    };
    let (mut page, mut body) = (page, Vec::new());
    for &byte in b"5;x\r\nhello\r\n0\r\nX: y\r\n\r\n" {
        assert_eq!(page.receive_some(&mut buffer).now_or_never(), None);
        send(byte);
        if let Some(count) = page.receive_some(&mut buffer).now_or_never() {
            body.extend_from_slice(&buffer[..count.unwrap()]);
        }
    }
    assert_eq!(page.receive_some(&mut buffer).now_or_never(), Some(Ok(0)));
    assert_eq!(body, b"hello");
}

#[test]
fn a_request_that_would_say_something_else_is_not_sent() {
    for (host, target) in [
        ("far", ""),
        ("far", "a"),
        ("far", "/a HTTP/1.1"),
        ("far\r\nX: y", "/"),
        ("", "/"),
        ("far", &["/", &"x".repeat(128)].concat()),
    ] {
        let client = async |stream: End<'_>| get(stream, host, target, &mut [0; 128]).await.err();
        let server = async |mut stream: End<'_>| stream.receive_some(&mut [0]).await;
        let (refused, heard) = talk(client, server);
        assert_eq!(refused, Some(HttpError::InvalidRequest));
        assert_eq!(heard, Err(MemoryError::Broken));
    }
}
