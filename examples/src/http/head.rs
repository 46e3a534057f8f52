//! The heads of messages: a first line, then fields, then an empty line.

use core::fmt::{self, Write as _};

use tacket::ReceiveStream;

use super::error::HttpError;

/// The longest head of a peer.
pub(super) const MAX_HEAD: usize = 64 * 1024;

/// Receives a head, line by line.
pub(super) struct HeadReader<'s, R> {
    rx: &'s mut R,
    left: usize,
}

impl<'s, R: ReceiveStream> HeadReader<'s, R> {
    pub(super) const fn new(rx: &'s mut R) -> Self {
        Self { rx, left: MAX_HEAD }
    }

    /// Receives a line into the start of `buffer`, and returns its length without the line's end.
    ///
    /// Takes nothing that follows the line.
    pub(super) async fn line(&mut self, buffer: &mut [u8]) -> Result<usize, HttpError<R::Error>> {
        let mut length = 0;
        loop {
            let place = buffer.get_mut(length..=length);
            let place = place.filter(|_| self.left > 0).ok_or(HttpError::TooLong)?;
            let received = self.rx.receive_some(place).await;
            if received.map_err(HttpError::Stream)? == 0 {
                return Err(HttpError::EndedEarly);
            }
            (length, self.left) = (length + 1, self.left - 1);
            let so_far = buffer.get(..length).unwrap_or_default();
            match so_far {
                [.., b'\r', b'\n'] => return Ok(length - 2),
                [.., b'\n'] => return Err(HttpError::malformed("the end of a line")),
                _ => {}
            }
        }
    }

    /// Receives the status that is the answer, past those that only announce it.
    pub(super) async fn final_status(
        &mut self,
        buffer: &mut [u8],
    ) -> Result<u16, HttpError<R::Error>> {
        loop {
            match self.status(buffer).await? {
                100..=199 => self.skip_fields(buffer).await?,
                status => return Ok(status),
            }
        }
    }

    async fn status(&mut self, buffer: &mut [u8]) -> Result<u16, HttpError<R::Error>> {
        let length = self.line(buffer).await?;
        let line = buffer.get(..length).unwrap_or_default();
        parse_status(line).ok_or(HttpError::malformed("its status line"))
    }

    /// Receives the next field: its name, and its value without the space around it. `None` is the end of the head.
    pub(super) async fn field<'b>(
        &mut self,
        buffer: &'b mut [u8],
    ) -> Result<Option<(&'b str, &'b str)>, HttpError<R::Error>> {
        let length = self.line(buffer).await?;
        match buffer.get(..length).unwrap_or_default() {
            [] => Ok(None),
            line => parse_field(line)
                .map(Some)
                .ok_or(HttpError::malformed("a field of its head")),
        }
    }

    /// Receives the rest of the head.
    pub(super) async fn skip_fields(
        &mut self,
        buffer: &mut [u8],
    ) -> Result<(), HttpError<R::Error>> {
        while self.field(buffer).await?.is_some() {}
        Ok(())
    }
}

fn parse_status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let [b'0'..=b'9', b' ', code @ ..] = rest else {
        return None;
    };
    let (digits, reason) = code.split_at_checked(3)?;
    let ends = reason.first().is_none_or(|&byte| byte == b' ');
    let digits = str::from_utf8(digits)
        .ok()
        .filter(|text| ends && is_number(text))?;
    digits
        .parse()
        .ok()
        .filter(|status| (100..600).contains(status))
}

/// Values are text in practice. One that is not is no field that anything here looks at.
fn parse_field(line: &[u8]) -> Option<(&str, &str)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let name = str::from_utf8(name).ok().filter(|name| is_visible(name))?;
    let value = str::from_utf8(value.get(1..)?).unwrap_or_default();
    Some((name, value.trim_matches([' ', '\t'])))
}

/// Whether `text` is of digits alone, and has some.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `text` can stand in a line as one word.
pub(super) fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Writes a head into the start of `buffer`; `None` if it does not fit.
pub(super) fn write<'b>(buffer: &'b mut [u8], head: fmt::Arguments<'_>) -> Option<&'b [u8]> {
    let mut cursor = Cursor { buffer, length: 0 };
    cursor.write_fmt(head).ok()?;
    let Cursor { buffer, length } = cursor;
    buffer.get(..length)
}

struct Cursor<'b> {
    buffer: &'b mut [u8],
    length: usize,
}

impl fmt::Write for Cursor<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let place = self.buffer.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_has_a_version_and_three_digits() {
        for (line, status) in [
            ("HTTP/1.1 200 OK", Some(200)),
            ("HTTP/1.0 404 Not Found", Some(404)),
            ("HTTP/1.1 200 ", Some(200)),
            ("HTTP/1.1 599", Some(599)),
            ("HTTP/1.1 2000", None),
            ("HTTP/1.1 20", None),
            ("HTTP/1.1 +20 OK", None),
            ("HTTP/1.1 099 OK", None),
            ("HTTP/1.1 600 OK", None),
            ("HTTP/2 200 OK", None),
            ("HTTP/1.x 200 OK", None),
            ("http/1.1 200 OK", None),
            ("", None),
        ] {
            assert_eq!(parse_status(line.as_bytes()), status, "{line}");
        }
    }

    #[test]
    fn a_field_is_a_word_a_colon_and_whatever_follows() {
        for (line, field) in [
            ("Host: a", Some(("Host", "a"))),
            ("Host:a", Some(("Host", "a"))),
            ("Host:\t a b \t", Some(("Host", "a b"))),
            ("Host:", Some(("Host", ""))),
            ("Host: a:b", Some(("Host", "a:b"))),
            ("Host : a", None),
            (" Host: a", None),
            (": a", None),
            ("Host", None),
        ] {
            assert_eq!(parse_field(line.as_bytes()), field, "{line}");
        }
        assert_eq!(parse_field(b"Date: \xff"), Some(("Date", "")));
    }

    #[test]
    fn a_head_that_does_not_fit_is_not_written() {
        let mut buffer = [0; 6];
        assert_eq!(
            write(&mut buffer, format_args!("{}-{}", "abc", 12)),
            Some(&b"abc-12"[..])
        );
        assert_eq!(write(&mut buffer, format_args!("{}-{}", "abc", 123)), None);
    }
}
