//! Addresses of requests.

use hyper::Uri;
use hyper::http::uri::Authority;

use super::encode::characters;

/// Where a connection goes.
#[derive(Debug)]
pub(super) struct Target<'u> {
    /// Without brackets.
    pub(super) host: &'u str,
    pub(super) port: u16,
    pub(super) is_secure: bool,
}

impl<'u> Target<'u> {
    /// # Errors
    ///
    /// What is wrong with an address that [`parse`] did not make.
    pub(super) fn of(uri: &'u Uri) -> Result<Self, String> {
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("begin with `https://` or `http://`".to_owned()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or("there is no host in it")?;
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        Ok(Self { host: host.trim_matches(['[', ']']), port, is_secure })
    }

    /// Whether both are the same service.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
            && (self.port, self.is_secure) == (other.port, other.is_secure)
    }
}

/// Reads an address. Characters that must be encoded are, and the fragment is left out.
///
/// # Errors
///
/// What to write instead, without the address: it can contain a secret.
pub(crate) fn parse(text: &str) -> Result<Uri, String> {
    let text = text.trim().split('#').next().unwrap_or_default();
    if !text.contains("://") {
        return Err("begin with `https://` or `http://`".to_owned());
    }
    let uri: Uri = characters(text).parse().map_err(|error| format!("not an address: {error}"))?;
    Target::of(&uri)?;
    let authority = authority(&uri);
    if authority.contains('@') {
        return Err("a user name in an address is not sent: write a header `Authorization`".to_owned());
    }
    if authority.contains('%') {
        return Err("write the host in ASCII: `xn--…`".to_owned());
    }
    Ok(uri)
}

/// The host with its port, as written.
pub(super) fn authority(uri: &Uri) -> &str {
    uri.authority().map_or("", Authority::as_str)
}

/// The address without its query, which can contain a secret and is of no interest in a message.
pub(crate) fn shown(uri: &Uri) -> String {
    let authority = authority(uri);
    format!("{}://{authority}{}", uri.scheme_str().unwrap_or_default(), uri.path())
}

/// The address that `location` means in a response from `base`.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn join(base: &Uri, location: &str) -> Result<Uri, String> {
    let location = location.trim();
    let is_absolute = location.split_once(':').is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    if is_absolute {
        return parse(location);
    }
    let scheme = base.scheme_str().unwrap_or_default();
    if let Some(rest) = location.strip_prefix("//") {
        return parse(&format!("{scheme}://{rest}"));
    }
    let path = base.path();
    let (relative, query) = match location.split_once('?') {
        Some((relative, query)) => (relative, format!("?{query}")),
        None => (location, String::new()),
    };
    let path = match relative {
        "" => path.to_owned(),
        _ if relative.starts_with('/') => without_dots(relative),
        _ => without_dots(&format!("{}/{relative}", path.rsplit_once('/').map_or("", |(folder, _)| folder))),
    };
    let authority = authority(base);
    parse(&format!("{scheme}://{authority}{path}{query}"))
}

/// The path without `.` and `..`.
fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut is_folder = false;
    for part in path.split('/').skip(1) {
        is_folder = matches!(part, "" | "." | "..");
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    if is_folder && parts.last().is_some_and(|last| !last.is_empty()) {
        parts.push("");
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_read_from_where_it_was_said() {
        let base = parse("https://a.example:8443/x/y?z=1").unwrap();
        for (location, meant) in [
            ("https://b.example/", "https://b.example/"),
            ("http://b.example", "http://b.example/"),
            ("//b.example/w?v", "https://b.example/w?v"),
            ("/w", "https://a.example:8443/w"),
            ("w", "https://a.example:8443/x/w"),
            ("../w/", "https://a.example:8443/w/"),
            ("./", "https://a.example:8443/x/"),
            ("../../../w", "https://a.example:8443/w"),
            ("?q=2", "https://a.example:8443/x/y?q=2"),
            ("/ü b#part", "https://a.example:8443/%C3%BC%20b"),
        ] {
            assert_eq!(join(&base, location).unwrap().to_string(), meant, "{location}");
        }
        for wrong in
            ["ftp://b.example/", "file:///etc/passwd", "https://user@b.example/", "https://", "https://ü/"]
        {
            assert!(join(&base, wrong).is_err(), "{wrong}");
        }
    }
}
