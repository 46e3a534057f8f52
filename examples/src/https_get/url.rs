//! Addresses of pages and proxies.

use core::str::FromStr;

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// A URL of the kinds that this program knows, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: Scheme,
    /// A name or an IP address, without the brackets of IPv6.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What to ask the server for: a path, with the query if there is one.
    pub(crate) target: String,
}

impl Url {
    /// The URL of a page.
    pub(crate) fn page(text: &str) -> Result<Self, String> {
        match text.parse()? {
            url @ Self {
                scheme: Scheme::Https,
                ..
            } => Ok(url),
            _ => Err("only https:// is fetched".to_owned()),
        }
    }

    /// The URL of a proxy.
    pub(crate) fn proxy(text: &str) -> Result<Self, String> {
        match text.parse()? {
            url @ Self { .. } if url.target == "/" => Ok(url),
            _ => Err("a proxy has no path".to_owned()),
        }
    }

    /// What stands for the server in a request to itself.
    pub(crate) fn host_field(&self) -> String {
        match (self.scheme, self.port) {
            (Scheme::Http, 80) | (Scheme::Https, 443) => bracketed(&self.host),
            _ => self.authority(),
        }
    }

    /// What stands for the server in a request to a proxy.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", bracketed(&self.host), self.port)
    }
}

fn bracketed(host: &str) -> String {
    match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a URL is visible ASCII; the rest of it is percent-encoded".to_owned());
        }
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let (scheme, usual_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Scheme::Http, 80),
            "https" => (Scheme::Https, 443),
            _ => return Err("it does not begin with https:// or http://".to_owned()),
        };
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).unwrap_or_default();
        let (host, port) = split_authority(authority).ok_or("it names no host")?;
        let port = match port {
            "" => usual_port,
            port => port.parse().map_err(|_| "the port is no number")?,
        };
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port,
            target: format!("{slash}{target}"),
        })
    }
}

/// The host, and the port if there is one. There is no place for a user's name and password.
fn split_authority(authority: &str) -> Option<(&str, &str)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => match authority.find(':') {
            Some(colon) => authority.split_at_checked(colon)?,
            None => (authority, ""),
        },
    };
    let port = match port {
        "" => "",
        port => port.strip_prefix(':')?,
    };
    (!host.is_empty() && !authority.contains('@')).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        for (text, host, port, target, authority) in [
            ("https://a.example", "a.example", 443, "/", "a.example:443"),
            (
                "HTTPS://a.example:/",
                "a.example",
                443,
                "/",
                "a.example:443",
            ),
            ("https://a:8443/b/c?d=e#f", "a", 8443, "/b/c?d=e", "a:8443"),
            ("https://a?b", "a", 443, "/?b", "a:443"),
            ("https://a#b", "a", 443, "/", "a:443"),
            ("https://127.0.0.1:1/@", "127.0.0.1", 1, "/@", "127.0.0.1:1"),
            ("https://[::1]/", "::1", 443, "/", "[::1]:443"),
            ("https://[::1]:1/", "::1", 1, "/", "[::1]:1"),
        ] {
            let url = Url::page(text).unwrap();
            assert_eq!(
                (url.host.as_str(), url.port, url.target.as_str()),
                (host, port, target)
            );
            assert_eq!(url.authority(), authority);
        }
    }

    #[test]
    fn the_usual_port_is_left_out_of_requests_to_the_server() {
        for (text, field) in [
            ("https://a:443/", "a"),
            ("https://a:80/", "a:80"),
            ("https://[::1]/", "[::1]"),
            ("http://a/", "a"),
        ] {
            assert_eq!(text.parse::<Url>().unwrap().host_field(), field);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "a.example",
            "https:a",
            "http://a/",
            "ftp://a/",
            "https://",
            "https:///b",
            "https://:443/",
            "https://a:b/",
            "https://a:65536/",
            "https://a:1:2/",
            "https://[::1/",
            "https://[::1]1/",
            "https://me:secret@a/",
            "https://a/b c",
            "https://a/\u{e4}",
        ] {
            assert!(Url::page(text).is_err(), "{text}");
        }
        assert!(Url::proxy("http://a/b").is_err());
        assert!(Url::proxy("http://a").is_ok());
    }
}
