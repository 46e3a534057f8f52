//! A web server of one page.

use tacket::Stream;

/// The longest head of a request.
const LONGEST: usize = 1024;

/// Answers a request for `/` with a line, and any other with what is wrong with it. Then it closes.
///
/// # Errors
///
/// Those of the stream.
///
/// # Cancel safety
///
/// Not safe. Dropped, it closes the stream forcefully.
pub async fn serve_page<S: Stream>(mut stream: S, line: &str) -> Result<(), S::Error> {
    let (status, line) = match receive_head(&mut stream, &mut [0; LONGEST]).await? {
        Some(head) if head.starts_with(b"GET / ") => ("200 OK", line),
        Some(_) => ("404 Not Found", "there is one page here"),
        None => ("400 Bad Request", "this is not understood"),
    };
    let length = line.len() + 1;
    let mut head: heapless::String<128> = heapless::String::new();
    // It has room for it.
    let _ = core::fmt::write(
        &mut head,
        format_args!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        ),
    );
    for part in [&*head, line, "\n"] {
        stream.send_all(part.as_bytes()).await?;
    }
    stream.close().await
}

/// Receives up to an empty line. `None`: it does not come, or too late.
async fn receive_head<'h, S: Stream>(
    stream: &mut S,
    head: &'h mut [u8],
) -> Result<Option<&'h [u8]>, S::Error> {
    for length in 1..=head.len() {
        if stream.receive_some(&mut head[length - 1..length]).await? == 0 {
            return Ok(None);
        }
        if head[..length].ends_with(b"\r\n\r\n") {
            return Ok(Some(&head[..length]));
        }
    }
    Ok(None)
}
